"""What keeping something beside the labels costs, which is printed before a run begins."""

import json
from dataclasses import dataclass

import numpy as np

from laketag.pipeline.classifier.choose_classifier import ChosenClassifier
from laketag.pipeline.classifier.encoder_identity import encoder_identity
from laketag.pipeline.classifier.kept_views import NUMBERS
from laketag.pipeline.config import MethodSettings, Settings
from laketag.pipeline.errors import SettingsError
from laketag.pipeline.lake.description_versions import read_class_names, read_embedded_set
from laketag.pipeline.lake.kept_tables import embedding_format, kept_tables
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.screen import Screen

ROW_BYTES = 100
"""About what names the image in a row, compressed."""
BOX_BYTES, SCALE_BYTES = 5, 4
"""About what the box of a view takes, compressed, and its scale."""
LARGEST_SCORE = 65504.0
"""That fp16 holds."""


def say_kept_costs(
    lake: Lake, classifier: ChosenClassifier, settings: Settings, images: int, screen: Screen
) -> None:
    """Print the bytes that the settings keep beside the labels of these images; nothing without.

    A SettingsError if the scores of the method may be too large to be kept.
    """
    if not (settings.run.keep and images):
        return
    described = classifier.description_set, classifier.description_version
    keep = " ".join(settings.run.keep)
    for table in kept_tables(keep):
        match table:
            case "scores":
                classes = len(read_class_names(lake, read_embedded_set(lake, *described)))
                what, of_image = f"scores of {classes:,} classes", ROW_BYTES + 2 * classes
                check_scores(settings.method)
            case "embeddings":
                views = KeptShape.of(classifier)
                what, of_image = f"embeddings of {views}, in {embedding_format(keep)}", views.bytes_in(keep)
        screen.say(
            f"keeps the {what}: {format_bytes(of_image)} an image, {format_bytes(of_image * 10**6)} a "
            f"million images, {format_bytes(of_image * images)} for the {images:,} of this run"
        )


@dataclass(frozen=True)
class KeptShape:
    """The embeddings of an image."""

    crops: int
    dim: int

    @classmethod
    def of(cls, classifier: ChosenClassifier) -> "KeptShape":
        """Those that the classifier makes."""
        crops = encoder_identity(classifier.decided_by)["crops"] or {}
        kinds = crops.get("raw_crops", False) + crops.get("feature_crops", False)
        architecture = json.loads(classifier.decided_by["backbone"]["architecture"])
        return cls(kinds * crops.get("crops", 0), int(architecture["embed_dim"]))

    def bytes_in(self, keep: str) -> int:
        """About how many bytes an image takes in the format that the run keeps."""
        stored_as = embedding_format(keep) or "fp32"
        of_view = self.dim * np.dtype(NUMBERS[stored_as]).itemsize + BOX_BYTES
        return ROW_BYTES + (1 + self.crops) * (of_view + (SCALE_BYTES if stored_as == "int8" else 0))

    def __str__(self) -> str:
        crops = f" and {self.crops:,} crops" if self.crops else ""
        return f"the image{crops} ({self.dim:,} numbers each)"


def check_scores(method: MethodSettings) -> None:
    """The method's scores can be kept in fp16; else a SettingsError. Soft matching sums the views' cosines by temperature."""
    if method.name == "abs" and method.soft_matching:
        views = method.crops * (method.raw_crops + method.feature_crops)
        if (largest := views / method.matching_temperature) > LARGEST_SCORE:
            raise SettingsError(
                f"--keep scores stores fp16, up to {LARGEST_SCORE:,.0f}, and {views:,} crops at method.matching_temperature "
                f"{method.matching_temperature} can score {largest:,.0f}; take fewer crops or a higher temperature, or keep no "
                "scores"
            )


def format_bytes(count: float) -> str:
    """As people write it, in powers of 1000: 103 kB, 2.1 GB."""
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if count < 1000 or unit == "TB":
            break
        count /= 1000
    return f"{count:,.0f} {unit}" if unit == "bytes" or count >= 100 else f"{count:.2g} {unit}"

"""One row out for each image in, with what the classifier said of the pixels that it was given."""

import io
import math
import pickle
import platform
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
import torch
from PIL import Image

from laketag.pipeline.classifier.class_texts import ClassTexts
from laketag.pipeline.classifier.methods import ImageLabel
from laketag.pipeline.config import DecodeSettings, StorageSettings
from laketag.pipeline.descriptions.embedded_set import EmbeddedSet
from laketag.pipeline.errors import ModelError, StorageError
from laketag.pipeline.lake.paths import open_lake
from laketag.pipeline.stages.decode_images import decode_images
from laketag.pipeline.stages.kept_rows import kept_arrow_schema
from laketag.pipeline.stages.label_images import LabelImages, label_rows
from laketag.pipeline.stages.stage_times import WORK_COLUMNS
from laketag.schemas import Labels, label_arrow_schema
from tests.lake.pets import write_pets
from tests.lake.run_rows import RUN


@dataclass
class RedOrBlue:
    """A classifier that needs no model: it names the colour of an image's corner, whose box is its evidence."""

    def label(self, images: Sequence[np.ndarray], image_ids: Sequence[str]) -> list[ImageLabel]:
        assert len(images) == len(image_ids)
        return [
            ImageLabel(
                tags=(("red", 0.75), ("blue", 0.25)) if image[0, 0, 0] else (("blue", 0.75), ("red", 0.25)),
                score=2.0,
                margin=1.0,
                evidence_box_xyxy_px=(1, 1, image.shape[1] - 1, image.shape[0]),
                evidence_description="a colour.",
                scores=np.array([0.1, 1000.3], np.float32),
                probabilities=np.array([0.25, 0.75]),
            )
            for image in images
        ]


def decoded(*images: tuple[str, str | None], short_side_px: int = 10) -> pa.Table:
    """Images of 45 × 30 pixels by id and colour, decoded at a third of their size; without a colour: a failed image."""
    batch = pa.table(
        {
            "image_id": [image_id for image_id, _ in images],
            "uri": [f"/{image_id}.png" for image_id, _ in images],
            "etag": ["v1"] * len(images),
            "data": pa.array([png(colour) if colour else None for _, colour in images], pa.large_binary()),
            "failure": pa.array([None if colour else "timeout" for _, colour in images], pa.string()),
            "failure_detail": pa.array([None if colour else "late" for _, colour in images], pa.string()),
            "attempts": pa.array([2] * len(images), pa.int32()),
            "fetched_bytes": pa.array([7] * len(images), pa.int64()),
            "fetch_s": pa.array([0.5] * len(images), pa.float32()),
            "decode_s": pa.array([0.25] * len(images), pa.float32()),
        }
    )
    return decode_images(batch, decode=DecodeSettings(short_side_px=short_side_px))


def png(colour: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (45, 30), colour).save(file, "PNG")
    return file.getvalue()


def test_each_image_has_its_own_label_and_a_failed_one_keeps_its_failure() -> None:
    rows = label_rows(decoded(("a", "red"), ("b", None), ("c", "blue")), RedOrBlue())  # type: ignore[arg-type]  # no torch
    assert [(row["image_id"], row.get("label"), row["failure"]) for row in rows] == [
        ("a", "red", None),
        ("b", None, "timeout"),
        ("c", "blue", None),
    ]


def test_the_scores_of_all_classes_travel_with_a_label_where_a_run_keeps_them() -> None:
    rows = label_rows(decoded(("a", "red"), ("b", None)), RedOrBlue(), keep="scores")  # type: ignore[arg-type]  # no torch
    table = pa.Table.from_pylist(rows, kept_arrow_schema("scores"))
    assert table["scores"].to_pylist() == [[np.float16(0.1), np.float16(1000.3)], None]
    assert "scores" not in label_rows(decoded(("a", "red")), RedOrBlue())[0]  # type: ignore[arg-type]  # no torch


def test_the_evidence_is_in_pixels_of_the_whole_image() -> None:
    (row,) = label_rows(decoded(("a", "red")), RedOrBlue())  # type: ignore[arg-type]  # no torch
    assert (row["bounded_width_px"], row["bounded_height_px"]) == (15, 10)
    assert list(row["evidence"].values()) == [3, 3, 42, 30, "a colour."]
    (row,) = label_rows(decoded(("a", "red"), short_side_px=28), RedOrBlue())  # type: ignore[arg-type]  # no torch
    assert row["bounded_width_px"] == 42
    assert list(row["evidence"].values()) == [
        1,
        1,
        44,
        30,
        "a colour.",
    ]  # from 1.07, 43.9: outward to whole pixels


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("field", ["score", "margin", "probability"])
def test_a_result_that_is_not_finite_is_a_failure_of_its_image_alone(field: str, value: float) -> None:
    class Overflowing(RedOrBlue):
        def label(self, images: Sequence[np.ndarray], image_ids: Sequence[str]) -> list[ImageLabel]:
            labels = super().label(images, image_ids)
            change = {"tags": (("red", value),)} if field == "probability" else {field: value}
            return [replace(label, **change) if i == 1 else label for i, label in enumerate(labels)]

    batch = decoded(("a", "red"), ("b", "red"), ("c", "blue"), ("d", "blue"))
    rows = label_rows(batch, Overflowing())  # type: ignore[arg-type]  # no torch
    assert [(row.get("label"), row["failure"]) for row in rows] == [
        ("red", None),
        (None, "not_finite"),
        ("blue", None),
        ("blue", None),
    ]


def test_a_batch_without_sound_images_is_not_given_to_the_classifier() -> None:
    (row,) = label_rows(decoded(("a", None)), None)  # type: ignore[arg-type]  # it would fail
    assert row["failure"] == "timeout"


@dataclass(frozen=True)
class Spec:
    """A ClassifierSpec without models."""

    descriptions: EmbeddedSet

    def load(self, texts: ClassTexts, device: str, threads: int) -> RedOrBlue:
        assert (texts.class_names, device, threads) == (("dog", "cat"), "cpu", 1)
        return RedOrBlue()


def test_the_actor_writes_rows_of_the_contract_and_what_they_have_cost(tmp_path: Path) -> None:
    lake = open_lake(str(tmp_path), StorageSettings())
    spec = Spec(write_pets(lake, "a" * 16))
    actor = LabelImages(
        lake=lake, run_id=RUN.run_id, pickled_spec=pickle.dumps(spec), device="cpu", threads=1
    )
    batch = decoded(("a", "red"), ("b", None))
    table = actor(batch)
    assert table.schema.names == [*label_arrow_schema().names, *WORK_COLUMNS]
    assert (table["fetched_bytes"].to_pylist(), table["decode_s"].to_pylist()) == ([7, 7], [0.25, 0.25])
    seconds = table["label_s"].to_pylist()
    assert seconds[0] > 0
    assert seconds[1] is None  # no model has seen it
    rows = Labels.validate(pl.DataFrame(table).select(Labels.column_names()), cast=True)
    assert rows.select("image_id", "label", "failure", "attempts", "run_id").rows() == [
        ("a", "red", None, 2, RUN.run_id),
        ("b", None, "timeout", 2, RUN.run_id),
    ]
    assert actor(batch.slice(0, 0)).num_rows == 0


def test_what_cannot_be_loaded_is_raised_by_the_call(tmp_path: Path) -> None:
    """Ray keeps only the text of what a constructor raises."""
    lake = open_lake(str(tmp_path), StorageSettings())
    missing = pickle.dumps(Spec(replace(write_pets(lake, "a" * 16), version="none")))
    actor = LabelImages(lake=lake, run_id=RUN.run_id, pickled_spec=missing, device="cpu", threads=1)
    with pytest.raises(StorageError, match="does not exist"):
        actor(decoded(("a", "red")))


@dataclass(frozen=True)
class Unloadable:
    """A ClassifierSpec whose models do not load."""

    descriptions: EmbeddedSet
    error: Exception

    def load(self, _texts: ClassTexts, **_where: object) -> RedOrBlue:
        raise self.error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ImportError("No module named 'timm'"), "ImportError: No module named 'timm'"),
        (torch.OutOfMemoryError("CUDA out of memory."), "cuda has memory left"),
    ],
)
def test_any_error_of_loading_is_one_sentence_with_the_node(
    tmp_path: Path, error: Exception, said: str
) -> None:
    lake = open_lake(str(tmp_path), StorageSettings())
    spec = pickle.dumps(Unloadable(write_pets(lake, "a" * 16), error))
    actor = LabelImages(lake=lake, run_id=RUN.run_id, pickled_spec=spec, device="cuda", threads=1)
    with pytest.raises(ModelError, match=platform.node()) as raised:
        actor(decoded(("a", "red")))
    assert said in str(raised.value)


def test_what_cannot_be_unpickled_is_raised_by_the_call_too(tmp_path: Path) -> None:
    """As on a node that lacks a package, or has another version of it."""
    lake = open_lake(str(tmp_path), StorageSettings())
    spec = b"cno_such_package\nSpec\n."
    actor = LabelImages(lake=lake, run_id=RUN.run_id, pickled_spec=spec, device="cpu", threads=1)
    with pytest.raises(ModelError, match="no_such_package"):
        actor(decoded(("a", "red")))

"""Labelling from kept embeddings against encoding the pictures, and how many labels rounded embeddings change.

Matching takes what a run does with each image: Parquet is read and unpacked, views are matched, and labels are made. All figures
are CPU seconds of one thread, which other programs disturb least.
"""

import io
import time
from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl
import torch

from laketag.pipeline.classifier.class_texts import ClassTexts
from laketag.pipeline.classifier.classifier import Classifier
from laketag.pipeline.classifier.kept_views import KeptViews, pack
from laketag.pipeline.classifier.methods import ImageLabel
from laketag.pipeline.classifier.view_matcher import ViewMatcher
from laketag.pipeline.classifier.views import Encoders
from laketag.pipeline.config import EmbeddingFormat, MethodSettings
from laketag.pipeline.models.backbone_spec import BackboneSpec
from laketag.pipeline.settings_file import read_settings
from laketag.pipeline.stages.kept_embeddings import unpack_views
from laketag.schemas import Embeddings
from tests.benches import budgets
from tests.benches.random_models import TINY, random_encoders, random_pictures, random_texts
from tests.benches.rows import Row, seconds_row

CPU = torch.device("cpu")
CROPS, COPIES = 50, 16
SETS = ((20, 5), (1000, 5), (1000, 50))
"""Classes, and descriptions of each."""
FORMATS: tuple[EmbeddingFormat, ...] = ("fp16", "int8")


def compare_with_encoding(architecture: str = TINY, pictures: int = 1) -> Iterator[Row]:
    """Seconds an image of the classifier, and of matching the embeddings that it has kept in fp16, with sets of several sizes."""
    torch.set_num_threads(1)
    encoders = random_encoders(architecture, "fp32", CPU)
    method = MethodSettings(crops=CROPS)
    dim = encoders.backbone.embed_dim
    labels, encoding_s = _label(encoders, random_texts(20, 5, dim), method, random_pictures(pictures))
    size_bytes = len(_store([_views(label) for label in labels], "fp16")) / len(labels)
    views = [_views(label) for label in labels] * COPIES
    for classes, of_each in SETS:
        matcher = ViewMatcher(random_texts(classes, of_each, dim), method, encoders.backbone.logit_scale, CPU)
        part = _store(views[: max(2, len(views) // (1 + classes * of_each // 5000))], "fp16")
        matcher.label(_read(part)[:2])
        began = time.process_time()
        found = matcher.label(_read(part))
        seconds = (time.process_time() - began) / len(found)
        yield seconds_row(
            f"ABS, {architecture}, {CROPS} crops of each kind: encoding → --from-embeddings, {classes:,} classes × {of_each} "
            "descriptions, an image",
            encoding_s,
            seconds,
            f"{size_bytes / 1000:.1f} kB an image in fp16",
        )


def compare_formats() -> Iterator[Row]:
    """With the demo's model on drawn pictures: labels from rounded embeddings that are those from pixels."""
    torch.set_num_threads(1)
    settings = read_settings(
        budgets.SETTINGS,
        [f"method.crops={CROPS}", f"backbone.pretrained=local-dir:{budgets.DEMO / 'model'}"],
    )
    spec = BackboneSpec(settings.backbone, settings.storage).with_architecture().resolved()
    encoders = Encoders(spec.load("cpu"), None)
    texts, (pictures, ids) = budgets.demo_texts(encoders), budgets._pictures()
    full, encoding_s = _label(encoders, texts, settings.method, pictures, ids)
    matcher = ViewMatcher(texts, settings.method, encoders.backbone.logit_scale, CPU)
    assert matcher.label(_read(_store([_views(label) for label in full], "fp32"))) == full
    for stored_as in FORMATS:
        stored = _store([_views(label) for label in full], stored_as)
        began = time.process_time()
        found = matcher.label(_read(stored))
        seconds = (time.process_time() - began) / len(found)
        same = sum(one.label == other.label for one, other in zip(found, full, strict=True))
        apart = max(
            abs(one.score - other.score) / other.score for one, other in zip(found, full, strict=True)
        )
        yield seconds_row(
            f"demo's model, {CROPS} raw crops: encoding → --from-embeddings in {stored_as}, an image",
            encoding_s,
            seconds,
            f"{same} of {len(full)} labels the same, scores differ by at most {apart:.1e} of their value; from fp32 all is equal",
        )


def _label(
    encoders: Encoders,
    texts: ClassTexts,
    method: MethodSettings,
    pictures: Sequence[Any],
    ids: Sequence[str] | None = None,
) -> tuple[list[ImageLabel], float]:
    """The labels with their views, and the seconds an image."""
    classifier = Classifier(encoders, texts, method, views_per_pass=256, threads=1, keeps_views=True)
    began = time.process_time()
    labels = classifier.label(pictures, ids or [str(number) for number in range(len(pictures))])
    return labels, (time.process_time() - began) / len(pictures)


def _views(label: ImageLabel) -> KeptViews:
    assert label.views is not None
    return label.views


def _store(views: Sequence[KeptViews], stored_as: EmbeddingFormat) -> bytes:
    """A Parquet file as a run keeps it, without the columns that name the image."""
    rows = []
    for one in views:
        packed = pack(one.embeddings, stored_as)
        rows.append(
            (one.boxes_xyxy_px.ravel().tolist(), stored_as, packed.numbers, packed.scales, one.logit_scale)
        )
    names = ("boxes_px", "format", "embeddings", "scales", "logit_scale")
    schema = {name: Embeddings.create_empty().schema[name] for name in names}
    sink = io.BytesIO()
    pl.DataFrame(rows, schema=schema, orient="row").write_parquet(sink)
    return sink.getvalue()


def _read(stored: bytes) -> list[KeptViews]:
    return unpack_views(pl.read_parquet(stored).to_arrow())

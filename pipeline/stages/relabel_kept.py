"""Stage: kept embeddings in, the labels that they give with the descriptions of the run that has kept them out."""

import polars as pl
import pyarrow as pa

from laketag.pipeline.config import MethodSettings
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.stages.kept_embeddings import unpack_views


def relabel_kept(
    batch: pa.Table, *, lake: Lake, described: tuple[str, str], method: MethodSettings
) -> pa.Table:
    """``image_id`` and ``relabelled``, the label, of each row. ``described``: the name and version of a description set."""
    import torch

    from laketag.pipeline.classifier.view_matcher import ViewMatcher
    from laketag.pipeline.stages.class_texts import load_class_texts

    views = unpack_views(batch)
    texts = load_class_texts(lake, *described)
    matcher = ViewMatcher(texts, method, views[0].logit_scale, torch.device("cpu"))
    labels = [label.label for label in matcher.label(views)]
    return pl.DataFrame({"image_id": batch["image_id"].to_pylist(), "relabelled": labels}).to_arrow()

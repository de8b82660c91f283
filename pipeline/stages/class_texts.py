"""Reads the class texts that a classifier matches with from a version of the description table."""

import polars as pl
import torch

from laketag.pipeline.classifier.class_texts import ClassTexts
from laketag.pipeline.errors import InputError
from laketag.pipeline.lake.description_versions import description_url, read_descriptions_table
from laketag.pipeline.lake.paths import Lake
from laketag.schemas import LABEL_PROMPT_POSITION


def load_class_texts(lake: Lake, set_name: str, version: str) -> ClassTexts:
    """The kept descriptions and label prompts of a version, on the CPU, classes in the order of the table."""
    rows = read_descriptions_table(lake, set_name, version)
    return class_texts(rows, description_url(lake, set_name, version))


def class_texts(table: pl.DataFrame, url: str) -> ClassTexts:
    """The kept descriptions and label prompts among the rows (schemas.Descriptions), which were read from this URL."""
    rows = table.filter(pl.col("drop_reason").is_null())
    prompts = rows.filter(pl.col("position") == LABEL_PROMPT_POSITION)
    kept = rows.filter(pl.col("position") != LABEL_PROMPT_POSITION)
    class_names = tuple(prompts["class_name"])
    if lacking := set(kept["class_name"]) - set(class_names):
        raise InputError(f"{url}: no label prompt for {', '.join(sorted(lacking))}; describe the set again")
    index = {name: number for number, name in enumerate(class_names)}
    return ClassTexts(
        class_names=class_names,
        embeddings=_as_tensor(kept["embedding"]),
        class_index=torch.tensor([index[name] for name in kept["class_name"]], dtype=torch.int64),
        descriptions=tuple(kept["text"]),
        label_prompts=_as_tensor(prompts["embedding"]),
        label_prompt_texts=tuple(prompts["text"]),
    )


def _as_tensor(embeddings: pl.Series) -> torch.Tensor:
    """Embeddings of equal length as one float32 tensor, texts × dim."""
    dim = len(embeddings[0]) if len(embeddings) else 0
    return torch.from_numpy(embeddings.explode().to_numpy(writable=True)).reshape(len(embeddings), dim)

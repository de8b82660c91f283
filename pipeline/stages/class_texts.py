"""What the classifier matches with, read from a version of the description table."""

import polars as pl
import torch

from laketag.pipeline.classifier.class_texts import ClassTexts
from laketag.pipeline.errors import InputError
from laketag.pipeline.lake.description_versions import (
    LABEL_PROMPT_POSITION,
    description_url,
    read_descriptions_table,
)
from laketag.pipeline.lake.paths import Lake


def load_class_texts(lake: Lake, set_name: str, version: str) -> ClassTexts:
    """A version's kept descriptions and label prompts, on the CPU, classes in the order of the table."""
    rows = read_descriptions_table(lake, set_name, version).filter(pl.col("drop_reason").is_null())
    prompts = rows.filter(pl.col("position") == LABEL_PROMPT_POSITION)
    kept = rows.filter(pl.col("position") != LABEL_PROMPT_POSITION)
    names = tuple(prompts["class_name"])
    place = {name: index for index, name in enumerate(names)}
    if lacking := set(kept["class_name"]) - set(names):
        url = description_url(lake, set_name, version)
        raise InputError(f"{url}: no label prompt for {', '.join(sorted(lacking))}; describe the set again")
    return ClassTexts(
        class_names=names,
        embeddings=_tensor(kept["embedding"]),
        class_index=torch.tensor([place[name] for name in kept["class_name"]], dtype=torch.int64),
        descriptions=tuple(kept["text"]),
        label_prompts=_tensor(prompts["embedding"]),
        label_prompt_texts=tuple(prompts["text"]),
    )


def _tensor(embeddings: pl.Series) -> torch.Tensor:
    """Rows of equal length as one float32 tensor."""
    dim = len(embeddings[0]) if len(embeddings) else 0
    return torch.from_numpy(embeddings.explode().to_numpy(writable=True)).reshape(len(embeddings), dim)

"""A small description set for tests that need a lake but no text tower."""

import numpy as np
import polars as pl

from laketag.pipeline.descriptions.embedded_set import EmbeddedSet
from laketag.pipeline.lake.description_versions import new_version, write_descriptions
from laketag.pipeline.lake.paths import Lake
from laketag.schemas import Descriptions

TEXTS = (
    ("dog", -1, "a dog", None),
    ("dog", 0, "It barks.", None),
    ("dog", 1, "", "empty"),
    ("dog", 2, "It runs.", None),
    ("cat", -1, "a cat", None),
    ("cat", 0, "It purrs.", None),
)
"""Class, position, text, reason why it is dropped; the n-th text is embedded as the n-th unit vector."""


def pets_frame() -> pl.DataFrame:
    """The texts as rows of schemas.Descriptions."""
    vectors = np.eye(len(TEXTS), dtype=np.float32).tolist()
    rows = [
        (name, position, text, 5, False, reason, None if reason else vectors[number])
        for number, (name, position, text, reason) in enumerate(TEXTS)
    ]
    return pl.DataFrame(rows, schema=Descriptions.create_empty().schema, orient="row")


def write_pets(lake: Lake, content_hash: str, set_name: str = "pets") -> EmbeddedSet:
    """The texts are a new version of the set."""
    made = EmbeddedSet(
        name=set_name,
        version=new_version(lake, set_name, content_hash),
        backbone="tiny",
        backbone_sha256="0" * 64,
        label_prompt="a {}",
    )
    write_descriptions(lake, made, pets_frame(), "tower")
    return made

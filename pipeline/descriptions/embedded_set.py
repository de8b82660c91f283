"""The version of a description set that a classifier matches with."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class EmbeddedSet:
    """A version of a description set, and the model whose text tower embedded it."""

    name: str
    version: str
    content_hash: str
    backbone: str
    backbone_sha256: str

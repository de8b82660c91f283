"""The version of a description set that a classifier matches with."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class EmbeddedSet:
    """A version of a description set, and the model whose text tower embedded it."""

    name: str
    version: str  # TIME-HASH: the newest version sorts last
    backbone: str
    backbone_sha256: str
    label_prompt: str

    @property
    def content_hash(self) -> str:
        """Names the content of the version, and goes into a classifier's fingerprint."""
        return self.version.rpartition("-")[2]

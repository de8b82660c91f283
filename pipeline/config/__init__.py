"""The settings: frozen, checked when they are made. The text under a setting is what ``laketag settings`` prints."""

from laketag.pipeline.config.images import DecodeSettings, FetchSettings, IndexSettings
from laketag.pipeline.config.labelling import (
    LOCAL_DIR,
    AttentionSettings,
    BackboneSettings,
    DescriptionSettings,
    EvaluateSettings,
    MethodSettings,
    local_dir,
)
from laketag.pipeline.config.run import EmbeddingFormat, Keep, Keeping, RunSettings
from laketag.pipeline.config.section import Section
from laketag.pipeline.config.stores import SourceSettings, StorageSettings

__all__ = [
    "LOCAL_DIR", "AttentionSettings", "BackboneSettings", "DecodeSettings", "DescriptionSettings",
    "EmbeddingFormat", "EvaluateSettings",
    "FetchSettings", "IndexSettings", "Keep", "Keeping", "MethodSettings", "RunSettings", "Section", "Settings", "SourceSettings",
    "StorageSettings", "local_dir",
]  # fmt: skip


class Settings(Section):
    """All settings, one table of the TOML file for each part."""

    backbone: BackboneSettings = BackboneSettings()
    attention: AttentionSettings = AttentionSettings()
    method: MethodSettings = MethodSettings()
    descriptions: DescriptionSettings = DescriptionSettings()
    index: IndexSettings = IndexSettings()
    fetch: FetchSettings = FetchSettings()
    decode: DecodeSettings = DecodeSettings()
    storage: StorageSettings = StorageSettings()
    source: SourceSettings = SourceSettings()
    run: RunSettings = RunSettings()
    evaluate: EvaluateSettings = EvaluateSettings()

    def keeping(self, keep: tuple[Keep, ...] | None) -> "Settings":
        """The settings with this ``run.keep``; as they are if it is None."""
        return (
            self
            if keep is None
            else self.model_copy(update={"run": self.run.model_copy(update={"keep": keep})})
        )

    @property
    def source_storage(self) -> StorageSettings:
        """How images are reached: as ``[source]`` says, and where it is silent, as ``[storage]``."""
        return StorageSettings(**self.storage.model_dump() | self.source.model_dump(exclude_none=True))

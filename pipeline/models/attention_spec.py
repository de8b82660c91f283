"""The model whose attention chooses the crops, on the driver: names and checksums, no weights."""

from dataclasses import dataclass, replace

from safetensors import SafetensorError

from laketag.pipeline.config import AttentionSettings, StorageSettings
from laketag.pipeline.errors import ModelError
from laketag.pipeline.models.attention_model import AttentionModel
from laketag.pipeline.models.device import checked_device
from laketag.pipeline.models.hashed_file import HashedFile, expected_sha256
from laketag.pipeline.models.hub import HubFile, hub_file
from laketag.pipeline.models.libraries import open_clip, timm
from laketag.pipeline.models.preprocessing import Preprocessing, read_preprocessing
from laketag.pipeline.models.weights import do_not_fit, local_copy, require_safetensors

RELEASE_MEAN_STD = 0.5
"""BIT-DA/ABS@5ba77c6 uses the values of DINO's published processor, although DINO was trained with ImageNet's."""


@dataclass(frozen=True)
class AttentionSpec:
    """Picklable description of the model; ``resolved()`` on the driver fills in the SHA-256 of the weights."""

    settings: AttentionSettings
    storage: StorageSettings
    sha256: str | None = None

    @property
    def name(self) -> str:
        """The model's name in tables and messages."""
        return (
            f"{self.settings.name}/{self.settings.weights}" if self.settings.weights else self.settings.name
        )

    @property
    def is_backbone(self) -> bool:
        """Whether the CLIP tower's own attention is used, so that there is nothing to load."""
        return self.settings.name == "backbone"

    def resolved(self) -> "AttentionSpec":
        """The same spec with the SHA-256 of the weights, which are on this machine afterwards."""
        if self.is_backbone:
            return self
        return replace(self, sha256=self._locate().sha256)

    def preprocessing(self) -> Preprocessing:
        """The model's preprocessing: the whole image squashed to a square, so that the patches cover all of it."""
        config = self._config()
        found = {"size": config.input_size[1:], "resize_mode": "squash"}
        if self.settings.preprocessing == "release":
            half = (RELEASE_MEAN_STD,) * 3
            found |= {"interpolation": "bilinear", "mean": half, "std": half}
        else:
            found |= {"interpolation": config.interpolation, "mean": config.mean, "std": config.std}
        return read_preprocessing(found, self.name)

    def load(self, device: str) -> AttentionModel:
        """The model on the device; its weights have the SHA-256 of the spec."""
        target = checked_device(device)
        path = self._locate().path
        try:
            vit = timm.create_model(
                self.settings.name,
                pretrained=True,
                num_classes=0,
                pretrained_cfg_overlay={"file": str(path), "custom_load": False},
            )
        except (RuntimeError, SafetensorError, KeyError) as error:
            raise do_not_fit(path, f"the attention model {self.name}", "attention.name", error) from None
        vit.to(open_clip.get_cast_dtype(self.settings.precision))
        return AttentionModel(self.name, vit, self.preprocessing(), target)

    def _config(self) -> "timm.models.PretrainedCfg":
        if not timm.is_model(self.settings.name):
            raise ModelError(
                f"attention.name = {self.settings.name!r} is not a timm model; "
                "choose a ViT such as vit_base_patch16_224.dino, or 'backbone'"
            )
        try:
            config = timm.get_pretrained_cfg(self.settings.name, allow_unregistered=False)
        except RuntimeError:
            raise ModelError(
                f"attention.name = {self.settings.name!r} is not a published timm model; leave out the part after the dot "
                "and set attention.weights, or choose one such as vit_base_patch16_224.dino"
            ) from None
        assert config is not None  # timm raises instead
        return config

    def _locate(self) -> HashedFile:
        config = self._config()
        expected = expected_sha256("attention.sha256", self.settings.sha256, self.sha256)
        if self.settings.weights is not None:
            require_safetensors(self.settings.weights, "attention.weights")
            return local_copy(self.settings.weights, expected, self.storage)
        if not config.hf_hub_id:
            raise ModelError(
                f"attention.name = {self.settings.name!r} has no published safetensors weights; set attention.weights to a file"
            )
        published = HubFile(
            config.hf_hub_id,
            config.hf_hub_filename or "model.safetensors",
            model=f"the attention model {self.settings.name}",
            setting="attention.weights",
        )
        return hub_file(published, expected)

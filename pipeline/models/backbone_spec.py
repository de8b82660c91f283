"""The CLIP model on the driver: names, checksums and configuration, no weights."""

from dataclasses import dataclass, replace
from typing import Any

from safetensors import SafetensorError
from torch import nn

from laketag.pipeline.config import LOCAL_DIR, BackboneSettings, StorageSettings
from laketag.pipeline.errors import ModelError
from laketag.pipeline.models.architecture import (
    Architecture,
    local_folder,
    locate_weights,
    read_architecture,
)
from laketag.pipeline.models.backbone import Backbone
from laketag.pipeline.models.device import checked_device
from laketag.pipeline.models.hashed_file import HashedFile, expected_sha256
from laketag.pipeline.models.image_tower import check_block, no_cls_token_error
from laketag.pipeline.models.libraries import open_clip
from laketag.pipeline.models.weights import do_not_fit


@dataclass(frozen=True)
class BackboneSpec:
    """Picklable description of the model; ``resolved()`` on the driver fills in SHA-256 and architecture."""

    settings: BackboneSettings
    storage: StorageSettings
    sha256: str | None = None
    architecture: Architecture | None = None

    @property
    def name(self) -> str:
        """The model's name in tables and messages."""
        folder = local_folder(self.settings)
        return f"{LOCAL_DIR}{folder}" if folder else f"{self.settings.name}/{self.settings.pretrained}"

    def with_architecture(self) -> "BackboneSpec":
        """The same spec with its architecture, which is read without weights."""
        return replace(self, architecture=self.architecture or read_architecture(self.settings, self.storage))

    def resolved(self) -> "BackboneSpec":
        """The same spec with its architecture and the SHA-256 of its weights, which are on this machine afterwards."""
        return replace(self.with_architecture(), sha256=self._locate().sha256)

    def load(self, device: str) -> Backbone:
        """The model on the device; its weights have the SHA-256 of the spec."""
        target = checked_device(device)
        spec = self.with_architecture()
        assert spec.architecture is not None
        config = spec.architecture.model_config
        path = spec._locate().path
        clip = build_clip(config, spec.settings.precision)
        try:
            open_clip.load_checkpoint(clip, str(path), strict=True)
        except (RuntimeError, SafetensorError, KeyError) as error:
            raise do_not_fit(path, f"the architecture {spec.name}", "backbone.name", error) from None
        lower_image_tower(clip, spec.settings.precision)
        return Backbone(spec.name, clip, _tokenizer(spec, config), spec.architecture, target)

    def _locate(self) -> HashedFile:
        expected = expected_sha256("backbone.sha256", self.settings.sha256, self.sha256)
        return locate_weights(self.settings, expected, self.storage)


def check_cls_tower(spec: BackboneSpec, feature_block: int | None) -> None:
    """ModelError, before any weights are loaded, if the image tower pools no CLS token or lacks the block."""
    assert spec.architecture is not None
    vision = spec.architecture.model_config["vision_cfg"]
    pools_cls = (
        "timm_model_name" not in vision
        and isinstance(vision.get("layers", 12), int)
        and not vision.get("attentional_pool", False)
        and vision.get("pool_type", "tok") == "tok"
    )
    if not pools_cls:
        raise no_cls_token_error(spec.name)
    check_block(spec.name, feature_block, vision.get("layers", 12))


def build_clip(model_config: dict[str, Any], precision: str) -> nn.Module:
    """An open_clip model of this configuration, with random weights in float32, on the CPU."""
    config = dict(model_config)
    custom_text = config.pop("custom_text", False) or "hf_model_name" in config["text_cfg"]
    kind = (
        open_clip.CoCa
        if "multimodal_cfg" in config
        else open_clip.CustomTextCLIP
        if custom_text
        else open_clip.CLIP
    )
    for tower in ("vision_cfg", "text_cfg"):
        config[tower] = dict(config[tower])
    if "timm_model_name" in config["vision_cfg"]:
        config["vision_cfg"]["timm_model_pretrained"] = False
    if "hf_model_name" in config["text_cfg"]:
        config["text_cfg"]["hf_model_pretrained"] = False
    clip: nn.Module = kind(**config, cast_dtype=open_clip.get_cast_dtype(precision))
    return clip


def lower_image_tower(clip: nn.Module, precision: str) -> None:
    """The image tower computes in this precision afterwards; norms and the text tower stay in float32."""
    dtype = open_clip.get_cast_dtype(precision)
    if dtype is None:
        return
    if isinstance(clip.visual, open_clip.transformer.VisionTransformer):
        open_clip.convert_weights_to_lp(clip.visual, dtype=dtype)
    else:
        clip.visual.to(dtype)


def _tokenizer(spec: BackboneSpec, model_config: dict[str, Any]) -> Any:
    """open_clip's tokenizer for the model; if a folder's configuration names a Hugging Face tokenizer, the one in the folder."""
    folder = local_folder(spec.settings)
    try:
        if folder and model_config["text_cfg"].get("hf_tokenizer_name"):
            return open_clip.get_tokenizer(f"{LOCAL_DIR}{folder}")
        if folder:
            return open_clip.SimpleTokenizer(
                context_length=model_config["text_cfg"].get("context_length", 77),
                **model_config["text_cfg"].get("tokenizer_kwargs", {}),
            )
        return open_clip.get_tokenizer(spec.settings.name)
    except (OSError, ValueError, ImportError) as error:
        raise ModelError(
            f"the tokenizer of {spec.name} is not on this machine ({' '.join(str(error).split())[:200]}); "
            "run once with a network, install the package that it asks for, or choose a CLIP with open_clip's own tokenizer"
        ) from None

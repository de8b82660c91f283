"""Tiny random models in the formats of real ones."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from laketag.pipeline.models.architecture import Architecture
from laketag.pipeline.models.backbone import Backbone
from laketag.pipeline.models.backbone_spec import build_clip
from laketag.pipeline.models.libraries import open_clip, timm
from laketag.pipeline.models.preprocessing import Preprocessing

torch.set_num_threads(1)  # with tensors this small, threads cost more time than they save
CPU = torch.device("cpu")
CONTEXT = 32
TOKENIZER = open_clip.SimpleTokenizer(context_length=CONTEXT)
"""To make one takes longer than to make a tiny model."""
HALF = (0.5, 0.5, 0.5)


def tiny_config(
    *,
    image_px: int = 56,
    patch_px: int = 8,
    layers: int = 3,
    width: int = 64,
    embed_dim: int = 32,
    **vision: Any,
) -> dict[str, Any]:
    """open_clip's ``model_cfg`` of a CLIP with a grid of ``image_px // patch_px``."""
    return {
        "embed_dim": embed_dim,
        "quick_gelu": True,
        "vision_cfg": {
            "image_size": image_px,
            "patch_size": patch_px,
            "layers": layers,
            "width": width,
            "head_width": 16,
            **vision,
        },
        "text_cfg": {"context_length": CONTEXT, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
    }


def tiny_clip(config: dict[str, Any], seed: int = 0, precision: str = "fp32") -> torch.nn.Module:
    """A random CLIP whose views differ enough for a test to notice a wrong one."""
    torch.manual_seed(seed)
    clip = build_clip(config, precision)
    with torch.no_grad():
        for name, value in clip.named_parameters():
            if name.endswith(("bias", "ln_1.weight", "ln_2.weight")):
                value.add_(0.1 * torch.randn_like(value))
            elif value.ndim > 1 and "token_embedding" not in name:
                value.mul_(2)
    return clip.eval()


def clip_preprocessing(image_px: int, resize_mode: str = "shortest") -> Preprocessing:
    """CLIP's own preprocessing for this input size."""
    mean, std = open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD
    return Preprocessing(image_px, resize_mode, "bicubic", mean, std)  # type: ignore[arg-type]


def tiny_backbone(
    seed: int = 0, resize_mode: str = "shortest", clip: torch.nn.Module | None = None, **config: Any
) -> Backbone:
    """A loaded tiny CLIP, or the one given, which must be of this configuration."""
    model_config = tiny_config(**config)
    return Backbone(
        "tiny",
        clip or tiny_clip(model_config, seed),
        TOKENIZER,
        Architecture(
            json.dumps(model_config),
            clip_preprocessing(model_config["vision_cfg"]["image_size"], resize_mode),
        ),
        CPU,
    )


def tiny_vit(
    seed: int = 0, *, image_px: int = 56, patch_px: int = 4, depth: int = 3, **options: Any
) -> timm.models.VisionTransformer:
    """A random timm ViT with a grid of ``image_px // patch_px`` and uneven attention."""
    torch.manual_seed(seed)
    vit = timm.models.VisionTransformer(
        img_size=image_px,
        patch_size=patch_px,
        embed_dim=32,
        depth=depth,
        num_heads=2,
        num_classes=0,
        **options,
    )
    with torch.no_grad():
        for name, value in vit.named_parameters():
            if name.endswith("qkv.weight"):
                value.mul_(20)
    return vit.eval()


def save_local_dir(folder: Path, *, resize_mode: str = "squash", seed: int = 0, **config: Any) -> Path:
    """A folder that ``local-dir:`` names: configuration and half-precision weights of a tiny CLIP."""
    model_config = tiny_config(**config)
    folder.mkdir(parents=True, exist_ok=True)
    preprocess = {"mean": HALF, "std": HALF, "interpolation": "bicubic", "resize_mode": resize_mode}
    (folder / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": model_config, "preprocess_cfg": preprocess})
    )
    weights = {
        name: value.half().contiguous() for name, value in tiny_clip(model_config, seed).state_dict().items()
    }
    save_file(weights, folder / "open_clip_model.safetensors")
    return folder


class Memory:
    """The memory of a device as an image tower meets it: a pass of more than ``most`` views finds too little."""

    def __init__(self, clip: torch.nn.Module, most: int) -> None:
        self.most = most
        self.passes: list[int] = []
        for layer in (clip.visual.ln_pre, clip.visual.ln_post):  # type: ignore[union-attr]  # torch types attributes loosely
            layer.register_forward_pre_hook(self._look)  # type: ignore[operator]  # same

    def _look(self, _layer: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        views = inputs[0].shape[0]
        if views > self.most:
            raise torch.OutOfMemoryError(f"CUDA out of memory. Tried to allocate {views} GiB.")
        self.passes.append(views)

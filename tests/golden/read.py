"""A folder in the golden format: tiny models, images, given draws and expected numbers."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file

from laketag.pipeline.models.architecture import Architecture
from laketag.pipeline.models.attention_model import AttentionModel
from laketag.pipeline.models.backbone import Backbone
from laketag.pipeline.models.backbone_spec import build_clip
from laketag.pipeline.models.libraries import open_clip, timm
from laketag.pipeline.models.preprocessing import Preprocessing

HEAD_WIDTH = 64
CONTEXT = 77
VOCABULARY = 49408
LABEL_PROMPT = "a photo of a {}."


@dataclass(frozen=True)
class Golden:
    """The contents of a folder; the models are our code, loaded with the folder's weights."""

    manifest: dict[str, Any]
    expected: dict[str, np.ndarray]
    backbone: Backbone
    attention: AttentionModel
    images: list[np.ndarray]


def read_golden(folder: Path) -> Golden:
    """The folder's contents with its models loaded on the CPU in float32."""
    manifest = json.loads((folder / "manifest.json").read_text())
    with np.load(folder / "expected.npz") as archive:
        expected = dict(archive)
    images = [np.asarray(Image.open(folder / image["file"]).convert("RGB")) for image in manifest["images"]]
    return Golden(
        manifest, expected, _read_backbone(folder, manifest), _read_attention(folder, manifest), images
    )


def clip_config(sizes: dict[str, Any]) -> dict[str, Any]:
    """open_clip's ``model_cfg`` of the manifest's ``clip``."""
    return {
        "embed_dim": sizes["embed_dim"],
        "quick_gelu": sizes["quick_gelu"],
        "vision_cfg": {
            "image_size": sizes["image_size"],
            "layers": sizes["layers"],
            "width": sizes["width"],
            "patch_size": sizes["patch_size"],
            "head_width": sizes.get("head_width", HEAD_WIDTH),
        },
        "text_cfg": {
            "context_length": CONTEXT,
            "vocab_size": VOCABULARY,
            "width": sizes["text_width"],
            "heads": sizes["text_heads"],
            "layers": sizes["text_layers"],
        },
    }


def make_vit(sizes: dict[str, Any]) -> timm.models.VisionTransformer:
    """The ViT of the manifest's ``dino``, with random weights."""
    return timm.models.VisionTransformer(
        img_size=sizes["image_size"],
        patch_size=sizes["patch_size"],
        embed_dim=sizes["embed_dim"],
        depth=sizes["depth"],
        num_heads=sizes["num_heads"],
        num_classes=0,
    )


def clip_preprocessing(sizes: dict[str, Any]) -> Preprocessing:
    """CLIP's own preprocessing."""
    mean, std = open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD
    return Preprocessing(sizes["image_size"], "shortest", "bicubic", mean, std)


def dino_preprocessing(sizes: dict[str, Any]) -> Preprocessing:
    """The preprocessing of the attention model in the manifest."""
    return Preprocessing(
        sizes["image_size"],
        sizes["resize"],
        sizes["interpolation"],
        tuple(sizes["mean"]),
        tuple(sizes["std"]),
    )


def _read_backbone(folder: Path, manifest: dict[str, Any]) -> Backbone:
    sizes = manifest["clip"]
    clip = build_clip(clip_config(sizes), "fp32")
    open_clip.load_checkpoint(clip, str(folder / "clip_tiny.safetensors"))
    tokenizer = open_clip.SimpleTokenizer(context_length=CONTEXT)
    architecture = Architecture(json.dumps(clip_config(sizes)), clip_preprocessing(sizes))
    return Backbone(folder.name, clip, tokenizer, architecture, torch.device("cpu"))


def _read_attention(folder: Path, manifest: dict[str, Any]) -> AttentionModel:
    vit = make_vit(manifest["dino"])
    vit.load_state_dict(
        {name: value.float() for name, value in load_file(folder / "dino_tiny.safetensors").items()}
    )
    return AttentionModel(folder.name, vit, dino_preprocessing(manifest["dino"]), torch.device("cpu"))

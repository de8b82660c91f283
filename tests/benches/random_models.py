"""Classifiers of real geometry with random weights, pictures and texts, and how their speed is measured.

It needs no Ray and no lake: beside torch, timm and open_clip with what these bring, pydantic and jaxtyping.
"""

import json
import math
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

from laketag.pipeline.classifier.class_texts import ClassTexts
from laketag.pipeline.classifier.views import Encoders
from laketag.pipeline.models.architecture import Architecture
from laketag.pipeline.models.attention_model import AttentionModel
from laketag.pipeline.models.backbone import Backbone
from laketag.pipeline.models.backbone_spec import build_clip, lower_image_tower
from laketag.pipeline.models.libraries import open_clip, timm
from laketag.pipeline.models.preprocessing import Preprocessing

ATTENTION = "vit_base_patch16_224.dino"
TINY = "tiny"
"""The name of a model for trying a bench, whose figures mean nothing."""
TINY_CLIP: dict[str, Any] = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "patch_size": 8, "layers": 2, "width": 32, "head_width": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}
PICTURE_PX = (500, 375)
MEAN, STD = open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD


def random_encoders(architecture: str, precision: str, device: torch.device) -> Encoders:
    """CLIP of an open_clip architecture and DINO's ViT-B/16, both in this precision; every precision has the same weights."""
    config: dict[str, Any] = TINY_CLIP if architecture == TINY else open_clip.get_model_config(architecture)
    torch.manual_seed(0)
    clip = build_clip(config, precision)
    vit: Any = (
        timm.models.VisionTransformer(
            img_size=32, patch_size=8, embed_dim=32, depth=2, num_heads=2, num_classes=0
        )
        if architecture == TINY
        else timm.create_model(ATTENTION, pretrained=False, num_classes=0)
    )
    lower_image_tower(clip, precision)
    vit.to(open_clip.get_cast_dtype(precision))
    clip_size, vit_size = config["vision_cfg"].get("image_size", 224), vit.patch_embed.img_size[0]
    of_clip = Preprocessing(clip_size, "shortest", "bicubic", MEAN, STD)
    of_vit = Preprocessing(vit_size, "squash", "bilinear", (0.5,) * 3, (0.5,) * 3)
    return Encoders(
        Backbone(
            architecture, clip, open_clip.SimpleTokenizer(), Architecture(json.dumps(config), of_clip), device
        ),
        AttentionModel(ATTENTION, vit, of_vit, device),
    )


def random_texts(classes: int, of_each: int, dim: int) -> ClassTexts:
    """Texts with embeddings of unit length that are the same in every run."""
    made = torch.randn(classes * (of_each + 1), dim, generator=torch.Generator().manual_seed(0))
    made = torch.nn.functional.normalize(made, dim=-1)
    names = tuple(f"class {number}" for number in range(classes))
    return ClassTexts(
        class_names=names,
        embeddings=made[classes:],
        class_index=torch.arange(classes).repeat_interleave(of_each),
        descriptions=tuple(f"text {number}" for number in range(classes * of_each)),
        label_prompts=made[:classes],
        label_prompt_texts=names,
    )


def random_pictures(count: int, size_px: tuple[int, int] = PICTURE_PX) -> list[np.ndarray]:
    """Coarse coloured noise."""
    small = np.random.default_rng(0).integers(0, 256, (count, 9, 12, 3), dtype=np.uint8)
    return [np.asarray(Image.fromarray(one).resize(size_px, Image.Resampling.BICUBIC)) for one in small]


def measure_s(work: Callable[[], object], device: torch.device, repeats: int = 3) -> float:
    """Seconds that the work takes, the median of some repeats after one to warm up."""
    taken = []
    for _ in range(repeats + 1):
        _wait(device)
        began = time.perf_counter()
        work()
        _wait(device)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken[1:])


def matrix_rate(dtype: torch.dtype, device: torch.device, size: int) -> float:
    """Floating-point operations a second of torch.mm of square matrices."""
    left, right = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    at_once = 20 if device.type == "cuda" else 1  # launches of a GPU take time of their own
    seconds = measure_s(lambda: [torch.mm(left, right) for _ in range(at_once)], device)
    return at_once * 2 * math.prod((size, size, size)) / seconds


def count_flop(work: Callable[[], object]) -> float:
    """Multiplications and additions of matrix products, convolutions and attention, as torch counts them."""
    with FlopCounterMode(display=False) as counter:
        work()
    return float(counter.get_total_flops())


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)

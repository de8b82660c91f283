"""Random images, texts and models for the classifier's tests."""

from functools import cache
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812

from laketag.pipeline.classifier.class_texts import ClassTexts
from laketag.pipeline.classifier.views import Encoders
from laketag.pipeline.models.attention_model import AttentionModel
from tests.classifier.naive_abs import NaiveModels, clip_transform
from tests.models.tiny import (
    CPU,
    HALF,
    Preprocessing,
    clip_preprocessing,
    tiny_backbone,
    tiny_clip,
    tiny_config,
    tiny_vit,
)

EMBED_DIM = 32
CLASSES = ("cat", "dog", "bird", "fish")
CLASS_OF = (2, 0, 0, 1, 1, 1, 2, 3, 0, 3)
"""The class of each description: unequal counts, not sorted."""


def random_image(width_px: int, height_px: int, seed: int = 0) -> np.ndarray:
    """uint8 RGB with structure at several scales, so that views differ."""
    rng = np.random.default_rng([seed, width_px, height_px])
    coarse = rng.integers(0, 256, (4, 4, 3)).repeat(-(-height_px // 4), 0).repeat(-(-width_px // 4), 1)
    noise = rng.integers(-60, 60, (height_px, width_px, 3))
    return np.clip(coarse[:height_px, :width_px] + noise, 0, 255).astype(np.uint8)


def random_texts(
    seed: int = 0, class_of: tuple[int, ...] = CLASS_OF, classes: tuple[str, ...] = CLASSES
) -> ClassTexts:
    """Texts with random embeddings of unit length."""
    generator = torch.Generator().manual_seed(seed)
    embeddings = F.normalize(torch.randn(len(class_of), EMBED_DIM, generator=generator), dim=-1)
    prompts = F.normalize(torch.randn(len(classes), EMBED_DIM, generator=generator), dim=-1)
    return ClassTexts(
        classes,
        embeddings,
        torch.tensor(class_of),
        tuple(f"{classes[index]}, description {position}" for position, index in enumerate(class_of)),
        prompts,
        tuple(f"a photo of a {name}." for name in classes),
    )


@cache
def models(
    grid: int, *, attention_grid: int | None, resize_mode: str = "shortest"
) -> tuple[Encoders, NaiveModels]:
    """The same tiny models twice: loaded by our code, and as open_clip and timm build them."""
    sizes: dict[str, Any] = {"image_px": 8 * grid, "patch_px": 8}
    backbone = tiny_backbone(seed=grid, resize_mode=resize_mode, **sizes)
    naive = NaiveModels(
        tiny_clip(tiny_config(**sizes), seed=grid),
        clip_transform(clip_preprocessing(8 * grid, resize_mode)),
        resize_mode,
    )
    if attention_grid is None:
        return Encoders(backbone, None), naive
    size = 4 * attention_grid
    preprocessing = Preprocessing(size, "squash", "bilinear", HALF, HALF)
    naive.vit = tiny_vit(seed=1, image_px=size)
    naive.vit_transform = clip_transform(preprocessing)
    attention = AttentionModel("tiny", tiny_vit(seed=1, image_px=size), preprocessing, CPU)
    return Encoders(backbone, attention), naive

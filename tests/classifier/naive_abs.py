"""ABS for one image as the paper describes it, in plain loops: slow, and independent of laketag.pipeline.classifier.

Only the convention for random draws is shared: Philox words keyed by blake2b of seed, kind and image id; a patch is found
by walking the attended patches in order of position, an integer by scaling to its range.
"""

import hashlib
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F  # noqa: N812

from laketag.pipeline.config import MethodSettings
from laketag.pipeline.models.libraries import open_clip


@dataclass
class NaiveModels:
    """The two models as open_clip and timm build them; without a ViT the CLIP tower's own attention is used."""

    clip: Any
    clip_transform: Any  # a PIL image → the CLIP tower's input
    resize_mode: str
    vit: Any = None
    vit_transform: Any = None


@dataclass
class NaiveResult:
    """The results of the loops."""

    label: int
    scores: list[float]
    probabilities: list[float]
    views: list[torch.Tensor]
    boxes: list[tuple[int, int, int, int]]
    evidence_contributions: dict[tuple[int, int], float]  # of the label's (view, description)


def clip_transform(preprocessing: Any) -> Any:
    """open_clip's own preprocessing with these settings."""
    return open_clip.image_transform(
        preprocessing.size_px,
        is_train=False,
        mean=preprocessing.mean,
        std=preprocessing.std,
        resize_mode=preprocessing.resize_mode,
        interpolation=preprocessing.interpolation,
    )


def label_image(
    rgb: np.ndarray,
    image_id: str,
    models: NaiveModels,
    descriptions: torch.Tensor,
    class_of: list[int],
    classes: int,
    method: MethodSettings,
) -> NaiveResult:
    """Every step of ABS, one view and one description at a time."""
    picture = Image.fromarray(rgb)
    width, height = picture.size
    views, boxes = [], []
    if method.raw_crops or method.feature_crops:
        attention = (
            vit_attention(models, picture) if models.vit is not None else clip_attention(models, picture)
        )
        a = math.isqrt(len(attention))
        ranked = sorted(range(a * a), key=lambda patch: (-float(attention[patch]), patch))[
            : method.attended_patches
        ]
        heat = [float(attention[patch]) / method.sampling_temperature for patch in ranked]
        top = sum(math.exp(h - max(heat)) for h in heat)
        chance = {patch: math.exp(h - max(heat)) / top for patch, h in zip(ranked, heat, strict=True)}
        frame = (0.0, 0.0, float(width), float(height))
        if models.vit is None:
            frame = visible(models, width, height)
        if method.feature_crops:
            g = models.clip.visual.grid_size[0]
            block = len(models.clip.visual.transformer.resblocks) - 1
            block = block if method.feature_block is None else method.feature_block
            tokens = tokens_before(models.clip.visual, models.clip_transform(picture), block)
            low, high = int(g * method.min_side_fraction), int(g * method.max_side_fraction)
            u = uniforms(image_id, method.seed, "feature crops", 2 * method.crops)
            for crop in range(method.crops):
                patch = walk(chance, u[2 * crop])
                side = integer(u[2 * crop + 1], low, high + 1 if low == high else high)
                r0, r1, c0, c1 = feature_cells(patch, side, a, g)
                views.append(feature_view(models.clip.visual, tokens, block, r0, r1, c0, c1))
                x0, y0, x1, y1 = visible(models, width, height)
                across, down = (x1 - x0) / g, (y1 - y0) / g
                boxes.append(
                    outward(
                        (x0 + c0 * across, y0 + r0 * down, x0 + c1 * across, y0 + r1 * down), width, height
                    )
                )
        if method.raw_crops:
            u = uniforms(image_id, method.seed, "raw crops", 3 * method.crops)
            for crop in range(method.crops):
                patch = walk(chance, u[3 * crop])
                w = integer(
                    u[3 * crop + 1],
                    int(width * method.min_side_fraction),
                    int(width * method.max_side_fraction),
                )
                h = integer(
                    u[3 * crop + 2],
                    int(height * method.min_side_fraction),
                    int(height * method.max_side_fraction),
                )
                box = raw_box(patch, w, h, a, frame, width, height)
                views.append(plain_view(models.clip, models.clip_transform(picture.crop(box))))
                boxes.append(box)
    else:
        views.append(plain_view(models.clip, models.clip_transform(picture)))
        boxes.append(outward(visible(models, width, height), width, height))
    scores, contributions = match(views, descriptions, class_of, classes, method)
    logit_scale = float(models.clip.logit_scale.detach().exp())
    probabilities = share(scores, len(views), method, logit_scale)
    label = max(range(classes), key=lambda c: (scores[c], -c))
    own = {key: value for key, value in contributions.items() if class_of[key[1]] == label}
    return NaiveResult(label, scores, probabilities, views, boxes, own)


def uniforms(image_id: str, seed: int, kind: str, count: int) -> list[float]:
    key = int.from_bytes(
        hashlib.blake2b(f"{seed}\n{kind}\n{image_id}".encode(), digest_size=16).digest(), "little"
    )
    generator = np.random.Philox(key=key)
    return [(int(generator.random_raw()) >> 11) / 2**53 for _ in range(count)]


def walk(chance: dict[int, float], u: float) -> int:
    reached = 0.0
    for patch in sorted(chance):
        reached += chance[patch]
        if u < reached:
            return patch
    return max(chance)


def integer(u: float, low: int, high: int) -> int:
    return low + int(u * (high - low + 1))


def raw_box(
    patch: int, w: int, h: int, a: int, frame: tuple[float, ...], width: int, height: int
) -> tuple[int, ...]:
    """A crop around a patch; a side under two pixels, for which the paper has no rule, keeps the centre's pixel."""
    edges = []
    for cell, side, f0, f1, limit in (
        (patch % a, w, frame[0], frame[2], width),
        (patch // a, h, frame[1], frame[3], height),
    ):
        start = int(f0 + cell * (f1 - f0) / a)
        end = min(start + int((f1 - f0) / a), limit)
        centre = min((start + end) // 2, limit - 1)
        low, high = max(centre - side // 2, 0), min(centre + side // 2, limit)
        edges.append((low, max(high, low + 1)))
    (x0, x1), (y0, y1) = edges
    return x0, y0, x1, y1


def feature_cells(patch: int, side: int, a: int, g: int) -> tuple[int, int, int, int]:
    """The rows and columns that a feature crop keeps, ends exclusive."""
    row, column, half = patch // a * g // a, patch % a * g // a, side // 2
    return max(0, row - half), min(g, row + half + 1), max(0, column - half), min(g, column + half + 1)


def visible(models: NaiveModels, width: int, height: int) -> tuple[float, float, float, float]:
    """The middle square for ``shortest``, the whole image for ``squash``."""
    if models.resize_mode == "squash":
        return 0.0, 0.0, float(width), float(height)
    size = models.clip.visual.image_size[0]
    if width <= height:
        long = int(size * height / width)
        top = round((long - size) / 2.0)
        return 0.0, top * height / long, float(width), (top + size) * height / long
    long = int(size * width / height)
    left = round((long - size) / 2.0)
    return left * width / long, 0.0, (left + size) * width / long, float(height)


def outward(box: tuple[float, ...], width: int, height: int) -> tuple[int, int, int, int]:
    x0, y0 = min(int(box[0] + 1e-6), width - 1), min(int(box[1] + 1e-6), height - 1)
    x1, y1 = math.ceil(box[2] - 1e-6), math.ceil(box[3] - 1e-6)
    return x0, y0, min(max(x1, x0 + 1), width), min(max(y1, y0 + 1), height)


@torch.no_grad()
def plain_view(clip: Any, pixels: torch.Tensor) -> torch.Tensor:
    return F.normalize(clip.encode_image(pixels[None]), dim=-1)[0]


@torch.no_grad()
def tokens_before(visual: Any, pixels: torch.Tensor, block: int) -> torch.Tensor:
    x = visual.conv1(pixels[None])[0]
    x = torch.cat([visual.class_embedding[None], x.reshape(x.shape[0], -1).T])
    x = visual.ln_pre(x + visual.positional_embedding)[None]
    for layer in visual.transformer.resblocks[:block]:
        x = layer(x)
    return x[0]


@torch.no_grad()
def feature_view(
    visual: Any, tokens: torch.Tensor, block: int, r0: int, r1: int, c0: int, c1: int
) -> torch.Tensor:
    g = visual.grid_size[0]
    grid = tokens[1:].reshape(g, g, -1)[r0:r1, c0:c1]
    resized = F.interpolate(grid.permute(2, 0, 1)[None], size=(g, g), mode="bicubic", align_corners=False)
    x = torch.cat([tokens[:1], resized[0].permute(1, 2, 0).reshape(g * g, -1)])[None]
    for layer in visual.transformer.resblocks[block:]:
        x = layer(x)
    return F.normalize(visual.ln_post(x[0, 0]) @ visual.proj, dim=-1)


@torch.no_grad()
def vit_attention(models: NaiveModels, picture: Image.Image) -> torch.Tensor:
    last = models.vit.blocks[-1].attn
    caught = []
    last.fused_attn = False
    hook = last.attn_drop.register_forward_hook(lambda *call: caught.append(call[-1]))
    models.vit(models.vit_transform(picture)[None])
    hook.remove()
    return caught[0][0].mean(dim=0)[0, models.vit.num_prefix_tokens :]


@torch.no_grad()
def clip_attention(models: NaiveModels, picture: Image.Image) -> torch.Tensor:
    blocks = models.clip.visual.transformer.resblocks
    x = tokens_before(models.clip.visual, models.clip_transform(picture), len(blocks) - 1)[None]
    y = blocks[-1].ln_1(x)
    return blocks[-1].attn(y, y, y, need_weights=True, average_attn_weights=True)[1][0, 0, 1:]


def match(
    views: list[torch.Tensor],
    descriptions: torch.Tensor,
    class_of: list[int],
    classes: int,
    method: MethodSettings,
) -> tuple[list[float], dict[tuple[int, int], float]]:
    """Soft matching, or mean cosines without it."""
    scores, contributions = [0.0] * classes, {}
    tau = method.matching_temperature
    for m, view in enumerate(views):
        cosines = [float(view.double() @ text.double()) for text in descriptions]
        if method.soft_matching:
            total = sum(math.exp((cosine - max(cosines)) / tau) for cosine in cosines)
        for d, cosine in enumerate(cosines):
            if method.soft_matching:
                mass = math.exp((cosine - max(cosines)) / tau) / total
                contributions[m, d] = mass * cosine / tau
                scores[class_of[d]] += contributions[m, d]
            else:
                contributions[m, d] = cosine
                scores[class_of[d]] += cosine / len(views) / class_of.count(class_of[d])
    return scores, contributions


def share(scores: list[float], views: int, method: MethodSettings, logit_scale: float) -> list[float]:
    """Each class's part of one whole, in proportion to its score's power or exponential; the largest is scaled to 1."""
    best = max(scores)
    if method.name == "clip" or not method.soft_matching:
        parts = [math.exp(logit_scale * (score - best)) for score in scores]
    elif best > 0:
        power = max(1.0, method.matching_temperature * logit_scale)
        parts = [(score / best) ** power if score > 0 else 0.0 for score in scores]
    else:
        parts = [math.exp((score - best) / views) for score in scores]
    return [part / sum(parts) for part in parts]

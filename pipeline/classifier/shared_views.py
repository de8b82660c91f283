"""The views of a batch of images for all methods: each is encoded once, when the first method asks for it.

They are those of ``laketag.pipeline.classifier.views``, which serves one method, and the squares of WCA.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from laketag.pipeline.classifier.attention import AttendedPatches, attended_patches
from laketag.pipeline.classifier.crop_encoder import CropEncoder
from laketag.pipeline.classifier.feature_crops import draw_feature_crops
from laketag.pipeline.classifier.method_names import BACKBONE, CONTROLS, RANDOM, Method, View
from laketag.pipeline.classifier.micro_batch import MicroBatch
from laketag.pipeline.classifier.pixels import PixelSource
from laketag.pipeline.classifier.random_numbers import draw_uniforms
from laketag.pipeline.classifier.raw_crops import SeenImage, draw_raw_crops
from laketag.pipeline.classifier.square_crops import draw_square_crops
from laketag.pipeline.classifier.views import Images
from laketag.pipeline.config import Settings
from laketag.pipeline.models.attention_model import AttentionModel
from laketag.pipeline.models.backbone import Backbone
from laketag.pipeline.models.image_tower import check_block

CONTROL_GRID = 14
"""Rows and columns of the patches that the controls choose from: those of the paper's attention model."""

Part = tuple[str, ...]
"""Something that is computed once for a batch: its kind, its attention source and its seed, as far as it depends on them."""


@dataclass(frozen=True)
class EvaluatedModels:
    """The loaded models of an evaluation, and how crops are cut."""

    backbone: Backbone
    attention: dict[str, AttentionModel]
    """By the name of the source; without those that need no model of their own."""
    settings: Settings
    at_once: MicroBatch
    workers: Executor | None = None

    @property
    def crop_block(self) -> int:
        """The block before which tokens are cropped."""
        tower = self.backbone.tower
        return check_block(self.backbone.name, self.settings.method.feature_block, tower.blocks)


@dataclass
class SharedViews:
    """The views of these images."""

    models: EvaluatedModels
    images: Images
    image_ids: Sequence[str]
    seconds: dict[Part, float] = field(default_factory=dict)
    """What each part took, without the parts that it was made from."""
    _made: dict[Part, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._pixels = PixelSource(self.images, self.models.backbone.device, self.models.workers)
        self._encoder = CropEncoder(self.models.backbone, self.models.at_once)

    def of(self, method: Method, seed: int) -> Float[Tensor, "images views dim"]:
        """The embeddings of the method's views, in its order; NaN where the attention to an image is not finite."""
        return torch.cat([self.make(view_part(view, method, seed)) for view in method.views], dim=1)

    def seconds_of(self, method: Method, seed: int) -> float:
        """What the method's views take where no other method shares them."""
        return sum(self.seconds[part] for part in parts_of(method, seed))

    def varying_seconds_of(self, method: Method, seed: int) -> float:
        """Which part of that a budget may save."""
        return sum((self.seconds[part] for part in varying_parts(method, seed)), 0.0)

    def make(self, part: Part) -> Any:
        """The part, made once."""
        if part not in self._made:
            needed = [self.make(other) for other in parts_before(part)]
            begun = time.perf_counter()
            self._made[part] = _MAKERS[part[0]](self, *needed, *part[1:])
            if self.models.backbone.device.type == "cuda":
                torch.cuda.synchronize()
            self.seconds[part] = time.perf_counter() - begun
        return self._made[part]

    def _whole(self) -> Tensor:
        backbone = self.models.backbone
        return backbone.encode_image(self._pixels.whole(backbone.preprocessing))[:, None]

    def _tokens(self) -> Tensor:
        tower = self.models.backbone.tower
        pixels = self._pixels.whole(self.models.backbone.preprocessing)
        return tower.run_blocks(tower.embed(pixels), 0, self.models.crop_block)

    def _attention(self, *given: Any) -> Float[np.ndarray, "images patches"]:
        *tokens, source = given
        if tokens:
            tower = self.models.backbone.tower
            attention = tower.cls_attention(
                tower.run_blocks(tokens[0], self.models.crop_block, tower.blocks - 1)
            )
        else:
            model = self.models.attention[source]
            attention = model.cls_attention(self._pixels.whole(model.preprocessing))
        return attention.float().cpu().numpy()

    def _squares(self, seed: str) -> Tensor:
        evaluate, method = self.models.settings.evaluate, self.models.settings.method
        crops = evaluate.wca_crops or 2 * method.crops
        boxes = [
            draw_square_crops(
                (image_id, int(seed)), (image.shape[1], image.shape[0]), crops, evaluate.wca_min_side_fraction
            )
            for image, image_id in zip(self.images, self.image_ids, strict=True)
        ]
        return self._encoder.raw_crops(self._pixels, np.stack(boxes))

    def _features(self, tokens: Tensor, *given: Any) -> Tensor:
        *attention, source, seed = given
        method = self.models.settings.method.model_copy(update={"seed": int(seed)})
        grid = self.models.backbone.tower.grid
        cells = [
            draw_feature_crops(image_id, attended, grid, method)
            for image_id, attended in zip(
                self.image_ids, self._attended(attention, source, seed), strict=True
            )
        ]
        embeddings = self._encoder.feature_crops(tokens, np.stack(cells), self.models.crop_block)
        return _spoil(embeddings, attention)

    def _raw(self, *given: Any) -> Tensor:
        *attention, source, seed = given
        method = self.models.settings.method.model_copy(update={"seed": int(seed)})
        attended = self._attended(attention, source, seed)
        boxes = [
            draw_raw_crops(image_id, of_image, self._seen(image, source), method)
            for image, image_id, of_image in zip(self.images, self.image_ids, attended, strict=True)
        ]
        return _spoil(self._encoder.raw_crops(self._pixels, np.stack(boxes)), attention)

    def _attended(self, attention: Sequence[np.ndarray], source: str, seed: str) -> list[AttendedPatches]:
        """Where each image's crops are centred; without attention by one of the controls."""
        method = self.models.settings.method
        if source in CONTROLS:
            count = method.attended_patches if source == RANDOM else CONTROL_GRID**2
            return [choose_patches(image_id, int(seed), count) for image_id in self.image_ids]
        finite = np.where(np.isfinite(attention[0]).all(axis=1)[:, None], attention[0], np.float32(0))
        return [
            attended_patches(of_image, method.attended_patches, method.sampling_temperature)
            for of_image in finite
        ]

    def _seen(self, image: np.ndarray, source: str) -> SeenImage:
        height, width = image.shape[:2]
        visible = self.models.backbone.preprocessing.visible_xyxy_px(width, height)
        return SeenImage(
            width, height, visible if source == BACKBONE else (0.0, 0.0, float(width), float(height))
        )


def choose_patches(image_id: str, seed: int, count: int) -> AttendedPatches:
    """As many patches of the controls' grid, drawn at random for the image and the seed, all equally likely."""
    order = np.argsort(draw_uniforms(image_id, seed, "random patches", CONTROL_GRID**2), kind="stable")
    patches = order[:count]
    return AttendedPatches(patches, np.full(len(patches), 1 / len(patches)), CONTROL_GRID)


def view_part(view: View, method: Method, seed: int) -> Part:
    """The part that holds the method's views of this kind."""
    match view:
        case "whole":
            return ("whole",)
        case "squares":
            return ("squares", str(seed))
        case "features" | "raw":
            assert method.attention is not None
            return (view, method.attention, str(seed))


def parts_before(part: Part) -> list[Part]:
    """The parts that this one is made from, in the order of its maker's arguments."""
    kind, source = part[0], part[1] if len(part) > 1 else ""
    attention: list[Part] = [] if source in CONTROLS else [("attention", source)]
    if kind == "attention":
        return [("tokens",)] if source == BACKBONE else []
    if kind == "features":
        return [("tokens",), *attention]
    return attention if kind == "raw" else []


def parts_of(method: Method, seed: int) -> set[Part]:
    """All parts that the method's views are made from, and these themselves."""
    found: set[Part] = set()
    left = [view_part(view, method, seed) for view in method.views]
    while left:
        part = left.pop()
        found.add(part)
        left += parts_before(part)
    return found


def varying_parts(method: Method, seed: int) -> set[Part]:
    """The parts that images go without as they stop: in a cascade all but the whole image, in rounds the crops."""
    parts = parts_of(method, seed)
    match method.budget:
        case "cascade":
            return parts - {("whole",)}
        case "adaptive":
            return {part for part in parts if part[0] in ("features", "raw")}
        case "full":
            return set()


_MAKERS: dict[str, Callable[..., Any]] = {
    "whole": SharedViews._whole,
    "tokens": SharedViews._tokens,
    "attention": SharedViews._attention,
    "squares": SharedViews._squares,
    "features": SharedViews._features,
    "raw": SharedViews._raw,
}


def _spoil(embeddings: Tensor, attention: Sequence[np.ndarray]) -> Tensor:
    """The embeddings, NaN for images to which the attention is not finite."""
    for of_images in attention:
        embeddings[torch.from_numpy(~np.isfinite(of_images).all(axis=1))] = torch.nan
    return embeddings

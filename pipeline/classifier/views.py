"""The views of a batch of images: crops around attended patches, or the whole image, and their embeddings.

The whole image goes through the tower's first blocks once; its tokens serve both the feature crops and, where asked for, the
tower's own attention.
"""

import math
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from laketag.pipeline.classifier.attention import attended_patches, needs_attention
from laketag.pipeline.classifier.crop_encoder import CropEncoder
from laketag.pipeline.classifier.feature_crops import draw_feature_crops
from laketag.pipeline.classifier.micro_batch import MicroBatch
from laketag.pipeline.classifier.pixels import PixelSource
from laketag.pipeline.classifier.raw_crops import SeenImage, draw_raw_crops
from laketag.pipeline.config import MethodSettings
from laketag.pipeline.models.attention_model import AttentionModel
from laketag.pipeline.models.backbone import Backbone
from laketag.pipeline.models.image_tower import check_block

EDGE_PX = 1e-6
"""A box that reaches over the edge of a pixel by less than this does so by rounding."""
Images = Sequence[UInt8[np.ndarray, "_ _ 3"]]


@dataclass(frozen=True)
class Encoders:
    """The loaded models of a classifier."""

    backbone: Backbone
    attention: AttentionModel | None  # None: the backbone's own attention is used, or the method needs none


@dataclass(frozen=True)
class Views:
    """The same number of views for each image of a batch; feature crops come before raw crops."""

    embeddings: Float[Tensor, "images views dim"]
    boxes_xyxy_px: Int[np.ndarray, "images views 4"]  # x1, y1 exclusive, in pixels of the image
    attention: Float[np.ndarray, "images patches"] | None = (
        None  # to each patch; None if the method takes no crops
    )
    feature_crops: int = 0  # how many of the views are feature crops


@dataclass(frozen=True)
class LookedAt:
    """Images whose crops are chosen and not encoded yet."""

    pixels: PixelSource
    tokens: Float[Tensor, "images tokens width"] | None  # before the crop block, where features are cropped
    cells_xyxy: Int[np.ndarray, "images crops 4"] | None  # of the tower's grid, of the feature crops
    boxes_xyxy_px: Int[np.ndarray, "images kinds crops 4"]
    attention: Float[np.ndarray, "images patches"]
    is_finite: Bool[np.ndarray, "images"]  # the attention to the image

    def views(
        self, embeddings: Float[Tensor, "chosen kinds crops dim"], chosen: Int[np.ndarray, "chosen"]
    ) -> Views:
        """The first crops of each kind of the chosen images, whose embeddings these are."""
        crops = embeddings.shape[2]
        boxes = self.boxes_xyxy_px[chosen, :, :crops]
        return Views(
            embeddings.flatten(1, 2),
            boxes.reshape(len(boxes), -1, 4),
            self.attention[chosen],
            0 if self.cells_xyxy is None else crops,
        )


class ViewMaker:
    """Makes the views that a method needs."""

    def __init__(
        self, encoders: Encoders, method: MethodSettings, at_once: MicroBatch, workers: Executor | None
    ) -> None:
        self._backbone = backbone = encoders.backbone
        self._attention = encoders.attention
        self._method = method
        self._encoder = CropEncoder(backbone, at_once)
        self._workers = workers
        self._crops_features = method.name == "abs" and method.feature_crops
        self._crops_pixels = method.name == "abs" and method.raw_crops
        self._crop_block = 0
        if self._crops_features:
            self._crop_block = check_block(backbone.name, method.feature_block, backbone.tower.blocks)

    def make(self, images: Images, image_ids: Sequence[str]) -> Views:
        """Crops around attended patches, or the whole image as the one view of a method without crops.

        Where the attention to an image is not finite there is nothing to crop around: its embeddings are NaN.
        """
        if not needs_attention(self._method):
            return self.look_at_whole(images)
        looked = self.look(images, image_ids)
        everything = np.arange(len(images))
        return looked.views(self.encode(looked, everything, slice(0, self._method.crops)), everything)

    def look_at_whole(self, images: Images) -> Views:
        """The whole image as the one view of each."""
        pixels = PixelSource(images, self._backbone.device, self._workers)
        embeddings = self._backbone.encode_image(pixels.whole(self._backbone.preprocessing))
        boxes = np.array([outward_box(self._visible(image), image) for image in images], dtype=np.int64)
        return Views(embeddings[:, None], boxes.reshape(-1, 1, 4))

    def look(self, images: Images, image_ids: Sequence[str]) -> LookedAt:
        """The attention to the images is known, and their crops are drawn; for methods with crops."""
        pixels = PixelSource(images, self._backbone.device, self._workers)
        tokens, attention = self._attend(pixels)
        is_finite = np.isfinite(attention).all(axis=1)
        cells, boxes = self._draw(images, image_ids, np.where(is_finite[:, None], attention, np.float32(0)))
        kinds = [self._cell_boxes(images, cells)] if self._crops_features else []
        kinds += [boxes] if self._crops_pixels else []
        return LookedAt(
            pixels,
            tokens,
            cells if self._crops_features else None,
            np.stack(kinds, axis=1),
            attention,
            is_finite,
        )

    def encode(
        self, looked: LookedAt, chosen: Int[np.ndarray, "chosen"], part: slice
    ) -> Float[Tensor, "chosen kinds crops dim"]:
        """Embeddings of this part of the crops of each kind, of the chosen images, which are in their order."""
        kinds = []
        if self._crops_features:
            assert looked.tokens is not None
            assert looked.cells_xyxy is not None
            cells = looked.cells_xyxy[chosen, part]
            kinds.append(self._encoder.feature_crops(looked.tokens, cells, self._crop_block, chosen))
        if self._crops_pixels:
            boxes = looked.boxes_xyxy_px[chosen, -1, part]
            kinds.append(self._encoder.raw_crops(looked.pixels, boxes, chosen))
        embeddings = torch.stack(kinds, dim=1)
        embeddings[torch.from_numpy(~looked.is_finite[chosen])] = torch.nan
        return embeddings

    def _attend(self, pixels: PixelSource) -> tuple[Tensor | None, Float[np.ndarray, "images patches"]]:
        """The whole images' tokens before the crop block, if they are needed, and the attention to each patch."""
        tokens = None
        if self._crops_features or self._attention is None:
            tower = self._backbone.tower
            tokens = tower.run_blocks(
                tower.embed(pixels.whole(self._backbone.preprocessing)), 0, self._crop_block
            )
        if self._attention is not None:
            attention = self._attention.cls_attention(pixels.whole(self._attention.preprocessing))
        else:
            assert tokens is not None
            attention = tower.cls_attention(tower.run_blocks(tokens, self._crop_block, tower.blocks - 1))
        return tokens, attention.float().cpu().numpy()

    def _draw(
        self, images: Images, image_ids: Sequence[str], attention: Float[np.ndarray, "images patches"]
    ) -> tuple[Int[np.ndarray, "_ crops 4"], Int[np.ndarray, "_ crops 4"]]:
        """Each image's cells of feature crops and boxes of raw crops; no rows for the kind that is switched off."""
        method = self._method
        cells, boxes = [], []
        for image, image_id, of_image in zip(images, image_ids, attention, strict=True):
            attended = attended_patches(of_image, method.attended_patches, method.sampling_temperature)
            if self._crops_features:
                cells.append(draw_feature_crops(image_id, attended, self._backbone.tower.grid, method))
            if self._crops_pixels:
                boxes.append(draw_raw_crops(image_id, attended, self._seen(image), method))
        shape = (-1, method.crops, 4)
        return np.array(cells, dtype=np.int64).reshape(shape), np.array(boxes, dtype=np.int64).reshape(shape)

    def _seen(self, image: UInt8[np.ndarray, "height width 3"]) -> SeenImage:
        height, width = image.shape[:2]
        return SeenImage(width, height, self.attended_xyxy_px(image))

    def attended_xyxy_px(
        self, image: UInt8[np.ndarray, "height width 3"]
    ) -> tuple[float, float, float, float]:
        """What the attention model sees: all of the image, or with the CLIP tower the part that its preprocessing keeps."""
        whole = (0.0, 0.0, float(image.shape[1]), float(image.shape[0]))
        return self._visible(image) if self._attention is None else whole

    def _visible(self, image: UInt8[np.ndarray, "height width 3"]) -> tuple[float, float, float, float]:
        return self._backbone.preprocessing.visible_xyxy_px(image.shape[1], image.shape[0])

    def _cell_boxes(
        self, images: Images, cells: Int[np.ndarray, "images crops 4"]
    ) -> Int[np.ndarray, "images crops 4"]:
        """The cells in pixels of the image, the inverse of the whole view's resize and centre crop."""
        boxes = np.empty_like(cells)
        for image, of_image, target in zip(images, cells, boxes, strict=True):
            x0, y0, x1, y1 = self._visible(image)
            begin, extent = np.array([x0, y0, x0, y0]), np.array([x1 - x0, y1 - y0, x1 - x0, y1 - y0])
            exact = begin + of_image * extent / self._backbone.tower.grid
            target[:] = [outward_box(tuple(box), image) for box in exact]
        return boxes


def outward_box(
    box_xyxy_px: tuple[float, ...], image: UInt8[np.ndarray, "height width 3"]
) -> tuple[int, int, int, int]:
    """The box grown to whole pixels, inside the image, at least one pixel wide and high."""
    height, width = image.shape[:2]
    x0, y0 = (
        min(max(int(edge + EDGE_PX), 0), limit - 1)
        for edge, limit in zip(box_xyxy_px[:2], (width, height), strict=True)
    )
    x1, y1 = (
        min(max(math.ceil(edge - EDGE_PX), start + 1), limit)
        for edge, start, limit in zip(box_xyxy_px[2:], (x0, y0), (width, height), strict=True)
    )
    return x0, y0, x1, y1

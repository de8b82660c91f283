"""Embeddings of crops: of several images together, as many at once as the micro-batch says."""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from laketag.pipeline.classifier.feature_crops import crop_tokens
from laketag.pipeline.classifier.micro_batch import MicroBatch
from laketag.pipeline.classifier.pixels import PixelSource
from laketag.pipeline.models.backbone import Backbone


class CropEncoder:
    """Runs the image tower on crops of pixels, and its last blocks on crops of tokens."""

    def __init__(self, backbone: Backbone, at_once: MicroBatch) -> None:
        self._backbone = backbone
        self._at_once = at_once

    def feature_crops(
        self,
        tokens: Float[Tensor, "images tokens width"],
        cells: Int[np.ndarray, "chosen crops 4"],
        block: int,
        images: Int[np.ndarray, "chosen"] | None = None,
    ) -> Float[Tensor, "chosen crops dim"]:
        """Embeddings of the cells of the tokens of each image, or of the chosen images; tokens are those before the block."""
        flat = cells.reshape(-1, 4)
        owner = torch.from_numpy(_owners(cells, images)).to(tokens.device)
        passes = [
            self._backbone.tower.finish(crop_tokens(tokens, owner[part], flat[part]), block)
            for part in self._passes(len(flat))
        ]
        return torch.cat(passes).view(*cells.shape[:2], -1)

    def raw_crops(
        self,
        pixels: PixelSource,
        boxes: Int[np.ndarray, "chosen crops 4"],
        images: Int[np.ndarray, "chosen"] | None = None,
    ) -> Float[Tensor, "chosen crops dim"]:
        """Embeddings of the boxes of each image, or of the chosen images, which are in their order."""
        flat = boxes.reshape(-1, 4)
        owner = _owners(boxes, images).tolist()
        passes = [
            self._backbone.encode_image(pixels.views(owner[part], flat[part], self._backbone.preprocessing))
            for part in self._passes(len(flat))
        ]
        return torch.cat(passes).view(*boxes.shape[:2], -1)

    def _passes(self, views: int) -> list[slice]:
        step = self._at_once.size
        return [slice(start, start + step) for start in range(0, views, step)]


def _owners(
    boxes: Int[np.ndarray, "chosen crops 4"], images: Int[np.ndarray, "chosen"] | None
) -> Int[np.ndarray, "_"]:
    """The place of each box's image."""
    return np.repeat(np.arange(len(boxes)) if images is None else images, boxes.shape[1])

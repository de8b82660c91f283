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
        cells: Int[np.ndarray, "images crops 4"],
        block: int,
    ) -> Float[Tensor, "images crops dim"]:
        """Embeddings of the cells of each image's tokens, which are those before the block."""
        flat = cells.reshape(-1, 4)
        owner = torch.arange(len(cells), device=tokens.device).repeat_interleave(cells.shape[1])
        passes = [
            self._backbone.tower.finish(crop_tokens(tokens, owner[part], flat[part]), block)
            for part in self._passes(len(flat))
        ]
        return torch.cat(passes).view(*cells.shape[:2], -1)

    def raw_crops(
        self, pixels: PixelSource, boxes: Int[np.ndarray, "images crops 4"]
    ) -> Float[Tensor, "images crops dim"]:
        """Embeddings of the boxes of each image."""
        flat = boxes.reshape(-1, 4)
        owner = np.repeat(np.arange(len(boxes)), boxes.shape[1]).tolist()
        passes = [
            self._backbone.encode_image(pixels.views(owner[part], flat[part], self._backbone.preprocessing))
            for part in self._passes(len(flat))
        ]
        return torch.cat(passes).view(*boxes.shape[:2], -1)

    def _passes(self, views: int) -> list[slice]:
        step = self._at_once.size
        return [slice(start, start + step) for start in range(0, views, step)]

"""Views cut from an image's uint8 pixels and resized exactly as Pillow does it, because CLIP was trained on Pillow's resize.

On a CPU Pillow itself resizes: a 450 × 400 crop to 224 px takes 2.4 ms, less than a dense matrix product. On a GPU, and for
pictures so long that Pillow would resize far more than the visible square, ``laketag.pipeline.classifier.resampling``
computes the same levels by matrix products.
"""

from collections.abc import Sequence
from concurrent.futures import Executor
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from PIL import Image
from torch import Tensor

from laketag.pipeline.classifier.resampling import resize_on_device
from laketag.pipeline.models.preprocessing import Preprocessing

FILTERS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}
LONGEST_RESIZED = 8
"""A view whose resized long side is over this multiple of the visible square is not resized by Pillow."""


class PixelSource:
    """Cuts the views of any model from the images of a batch."""

    def __init__(
        self,
        images: Sequence[UInt8[np.ndarray, "_ _ 3"]],
        device: torch.device,
        workers: Executor | None = None,
    ) -> None:
        self._images = images
        self._workers = workers
        self._on_device = (
            [torch.from_numpy(image.copy()).to(device) for image in images] if device.type != "cpu" else []
        )

    def whole(self, preprocessing: Preprocessing) -> Float[Tensor, "images 3 size size"]:
        """Each whole image as the model sees it."""
        boxes = np.array([(0, 0, image.shape[1], image.shape[0]) for image in self._images], dtype=np.int64)
        return self.views(list(range(len(self._images))), boxes.reshape(-1, 4), preprocessing)

    def views(
        self,
        image_index: Sequence[int],
        boxes_xyxy_px: Int[np.ndarray, "views 4"],
        preprocessing: Preprocessing,
    ) -> Float[Tensor, "views 3 size size"]:
        """The boxes as the model's normalised input, on the device; all boxes of an image must follow each other."""
        if self._on_device:
            views = cut_views_on_device(self._on_device, image_index, boxes_xyxy_px, preprocessing)
        else:
            views = cut_views(self._images, image_index, boxes_xyxy_px, preprocessing, self._workers)
        return preprocessing.normalise(views)


def cut_views(
    images: Sequence[UInt8[np.ndarray, "_ _ 3"]],
    image_index: Sequence[int],
    boxes_xyxy_px: Int[np.ndarray, "views 4"],
    preprocessing: Preprocessing,
    workers: Executor | None = None,
) -> UInt8[Tensor, "views size size 3"]:
    """The boxes cut and resized on the CPU, before normalisation."""
    size = preprocessing.size_px
    views = np.empty((len(image_index), size, size, 3), dtype=np.uint8)
    pictures = {index: Image.fromarray(images[index]) for index in set(image_index)}

    def cut(view: int) -> None:
        index = image_index[view]
        views[view] = _resize_one(images[index], pictures[index], boxes_xyxy_px[view], preprocessing)

    if workers is None:
        for view in range(len(views)):
            cut(view)
    else:  # Pillow releases the GIL while it resizes
        list(workers.map(cut, range(len(views)), chunksize=8))
    return torch.from_numpy(views)


def cut_views_on_device(
    images: Sequence[UInt8[Tensor, "_ _ 3"]],
    image_index: Sequence[int],
    boxes_xyxy_px: Int[np.ndarray, "views 4"],
    preprocessing: Preprocessing,
) -> UInt8[Tensor, "views size size 3"]:
    """As ``cut_views``, for images on a device; all boxes of an image must follow each other."""
    edges = [
        0,
        *(i for i in range(1, len(image_index)) if image_index[i] != image_index[i - 1]),
        len(image_index),
    ]
    parts = [
        resize_on_device(images[image_index[start]], boxes_xyxy_px[start:stop], preprocessing)
        for start, stop in pairwise(edges)
    ]
    return torch.cat(parts)


def _resize_one(
    rgb_u8: UInt8[np.ndarray, "_ _ 3"],
    picture: Image.Image,
    box_xyxy_px: Int[np.ndarray, "4"],
    preprocessing: Preprocessing,
) -> UInt8[np.ndarray, "size size 3"]:
    x0, y0, x1, y1 = (int(edge) for edge in box_xyxy_px)
    size = preprocessing.size_px
    width, height = preprocessing.resized_width_height(x1 - x0, y1 - y0)
    if max(width, height) > LONGEST_RESIZED * size:
        cut_levels = torch.from_numpy(rgb_u8[y0:y1, x0:x1].copy())
        return resize_on_device(cut_levels, np.array([[0, 0, x1 - x0, y1 - y0]]), preprocessing)[0].numpy()
    # crop first: with Pillow's box argument the filter would read pixels outside the box
    cut = picture if (x0, y0, x1, y1) == (0, 0, *picture.size) else picture.crop((x0, y0, x1, y1))
    resized = cut.resize((width, height), FILTERS[preprocessing.interpolation])
    left, top = preprocessing.centre_left_top(width, height)
    return np.asarray(resized)[top : top + size, left : left + size]

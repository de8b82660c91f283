"""Views cut from an image's uint8 pixels and resized as Pillow does it, because CLIP was trained on Pillow's resize.

On a CPU Pillow itself resizes: a 450 × 400 crop to 224 px takes 2.4 ms. On a GPU ``laketag.pipeline.classifier.resampling``
resizes the crops of all images at once, to within one level. For pictures so long that Pillow would resize far more than the
visible square it computes Pillow's own levels on a CPU, too.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from PIL import Image
from torch import Tensor

from laketag.pipeline.classifier.resampling import resize_views
from laketag.pipeline.models.preprocessing import Preprocessing

FILTERS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}
LONGEST_RESIZED = 8
"""A view whose resized long side is over this multiple of the visible square is not resized by Pillow."""

STACKED_PIXELS = 1 << 26
"""Most pixels of a stack of images, unless it is a single image: 192 MiB."""
Stack = tuple[range, UInt8[Tensor, "_ _ _ 3"]]
"""The places of consecutive images in a batch, and the images, padded at their ends to the largest."""


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
        self._stacks = list(stack_images(images, device)) if device.type != "cpu" else []

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
        """The boxes as the model's normalised input, on the device; boxes are in the order of their images."""
        if self._stacks:
            views = cut_stacked_views(self._stacks, image_index, boxes_xyxy_px, preprocessing, torch.float32)
        else:
            views = cut_views(self._images, image_index, boxes_xyxy_px, preprocessing, self._workers)
        return preprocessing.normalise(views)


def stack_images(images: Sequence[UInt8[np.ndarray, "_ _ 3"]], device: torch.device) -> Iterator[Stack]:
    """The images on the device in few stacks.

    Only images that are long in different directions need more than one. Copies to a GPU overlap with its work.
    """
    first = 0
    while first < len(images):
        last, height, width = first, 0, 0
        while last < len(images):
            height, width = np.maximum((height, width), images[last].shape[:2]).tolist()
            if last > first and (last + 1 - first) * height * width > STACKED_PIXELS:
                break
            last += 1
        height, width = np.max([image.shape[:2] for image in images[first:last]], axis=0).tolist()
        stack = torch.zeros(
            last - first, height, width, 3, dtype=torch.uint8, pin_memory=device.type == "cuda"
        )
        for place, image in zip(stack.numpy(), images[first:last], strict=True):
            place[: image.shape[0], : image.shape[1]] = image
        yield range(first, last), stack.to(device, non_blocking=True)
        first = last


def cut_stacked_views(
    stacks: Sequence[Stack],
    image_index: Sequence[int],
    boxes_xyxy_px: Int[np.ndarray, "views 4"],
    preprocessing: Preprocessing,
    dtype: torch.dtype,
) -> UInt8[Tensor, "views size size 3"]:
    """As ``cut_views``, for stacked images; boxes are in the order of their images."""
    owner = np.asarray(image_index, dtype=np.int64)
    parts = []
    for places, images in stacks:
        own = (owner >= places.start) & (owner < places.stop)
        if own.any():
            part = owner[own] - places.start
            used = slice(part.min(), part.max() + 1)
            parts.append(
                resize_views(images[used], part - used.start, boxes_xyxy_px[own], preprocessing, dtype)
            )
    return torch.cat(parts)


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
        cut_levels = torch.from_numpy(rgb_u8[None, y0:y1, x0:x1].copy())
        box = np.array([[0, 0, x1 - x0, y1 - y0]])
        return resize_views(cut_levels, np.zeros(1, np.int64), box, preprocessing, torch.float64)[0].numpy()
    # crop first: with Pillow's box argument the filter would read pixels outside the box
    cut = picture if (x0, y0, x1, y1) == (0, 0, *picture.size) else picture.crop((x0, y0, x1, y1))
    resized = cut.resize((width, height), FILTERS[preprocessing.interpolation])
    left, top = preprocessing.centre_left_top(width, height)
    return np.asarray(resized)[top : top + size, left : left + size]

"""Pillow's resize of many crops of many images at once, on any device.

Pillow 13 (src/libImaging/Resample.c) filters along one axis, rounds to uint8, filters along the other axis and rounds again; its
coefficients have 22 fractional bits. Here each output line is a weighted sum of a few lines of the images, which
``embedding_bag`` computes for all lines of all crops. In float64 the levels are exactly Pillow's; in float32, which GPUs
compute faster, a level differs by one where a sum is next to a half.
"""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  # torch's own habit

from laketag.pipeline.models.preprocessing import Preprocessing

ONE = 1 << (32 - 8 - 2)
"""Pillow's coefficients are multiples of 1 / ONE."""
SUPPORT = {"bicubic": 2.0, "bilinear": 1.0}
CELLS_AT_ONCE = 1 << 26
"""Most numbers in memory at once, unless a single view needs more: 256 MiB in float32."""
ACROSS, DOWN = 0, 1


def resize_views(
    images: UInt8[Tensor, "images height width 3"],
    image_index: Int[np.ndarray, "views"],
    boxes_xyxy_px: Int[np.ndarray, "views 4"],
    preprocessing: Preprocessing,
    dtype: torch.dtype,
) -> UInt8[Tensor, "views size size 3"]:
    """Each box of its image cropped, resized and cropped again to the visible square; images may be padded at their ends."""
    size = preprocessing.size_px
    views = torch.empty(len(image_index), size, size, 3, dtype=torch.uint8, device=images.device)
    axes = describe_axes(boxes_xyxy_px, preprocessing)
    down_first = filters_down_first(axes)
    for first in (ACROSS, DOWN):
        lines = images.transpose(1, 2) if first == ACROSS else images  # images × lines × cells of a line × 3
        lines_each, cells = lines.shape[1], lines.shape[2] * 3
        lines = lines.reshape(-1, cells).to(dtype)
        for part in _parts(np.flatnonzero(down_first == (first == DOWN)), CELLS_AT_ONCE // (size * cells)):
            begins = image_index[part] * lines_each
            half = _filter_lines(lines, begins, axes[part, first], preprocessing)
            turned = half.view(len(part), size, -1, 3).transpose(1, 2)  # now lines of the other axis
            begins = np.arange(len(part)) * turned.shape[1]
            levels = _filter_lines(
                turned.reshape(-1, size * 3), begins, axes[part, 1 - first], preprocessing
            ).view(-1, size, size, 3)
            views[torch.from_numpy(part)] = (levels if first == ACROSS else levels.transpose(1, 2)).byte()
    return views


def describe_axes(
    boxes_xyxy_px: Int[np.ndarray, "views 4"], preprocessing: Preprocessing
) -> Int[np.ndarray, "views 2 4"]:
    """For each view across and down: where the box begins, its length, its resized length, how much of that is cut off first."""
    axes = []
    for x0, y0, x1, y1 in boxes_xyxy_px.tolist():
        width, height = preprocessing.resized_width_height(x1 - x0, y1 - y0)
        left, top = preprocessing.centre_left_top(width, height)
        axes.append(((x0, x1 - x0, width, left), (y0, y1 - y0, height, top)))
    return np.array(axes, dtype=np.int64).reshape(-1, 2, 4)


def filters_down_first(axes: Int[np.ndarray, "views 2 4"]) -> Bool[np.ndarray, "views"]:
    """Whether Pillow 13 filters down first: if the height shrinks by more than twice what the width shrinks."""
    shrunk = axes[:, :, 1] - axes[:, :, 2]
    return shrunk[:, DOWN] > np.maximum(0, 2 * shrunk[:, ACROSS])  # type: ignore[no-any-return]  # numpy


def _parts(views: Int[np.ndarray, "views"], at_once: int) -> Iterator[Int[np.ndarray, "part"]]:
    for start in range(0, len(views), max(1, at_once)):
        yield views[start : start + max(1, at_once)]


def _filter_lines(
    lines: Float[Tensor, "lines cells"],
    begins: Int[np.ndarray, "views"],
    axes: Int[np.ndarray, "views 4"],
    preprocessing: Preprocessing,
) -> Float[Tensor, "rows cells"]:
    """The resized lines of all views, as whole levels; those of a view are made of the lines from ``begins`` on.

    The arithmetic of the coefficients is Pillow's, ``precompute_coeffs`` and ``normalize_coeffs_8bpc``.
    """
    support = SUPPORT[preprocessing.interpolation]
    most_taps = 2 * int(np.ceil(support * max(1.0, (axes[:, 1] / axes[:, 2]).max()))) + 1
    start, length, resized, skipped = torch.from_numpy(axes).to(lines.device, non_blocking=True).T[:, :, None]
    outputs = skipped + torch.arange(preprocessing.size_px, device=lines.device)
    scale = length.double() / resized
    stretch = scale.clamp(min=1.0)
    centre = (outputs + 0.5) * scale
    first = (centre - support * stretch + 0.5).long().clamp(min=0)
    last = torch.minimum((centre + support * stretch + 0.5).long(), length)
    taps = first[..., None] + torch.arange(most_taps, device=lines.device)
    distance = ((taps - centre[..., None] + 0.5) * (1.0 / stretch)[..., None]).abs()
    weights = torch.where(taps < last[..., None], _kernel(distance, preprocessing.interpolation), 0.0)
    weights = weights / weights.cumsum(-1)[..., -1:]  # added in order, as Pillow does
    weights = (weights * ONE + torch.where(weights < 0, -0.5, 0.5)).trunc() / ONE
    places = torch.minimum(taps, length[..., None] - 1) + start[..., None]
    places += torch.from_numpy(begins).to(lines.device, non_blocking=True)[:, None, None]
    sums = F.embedding_bag(
        places.flatten(0, 1), lines, per_sample_weights=weights.flatten(0, 1).to(lines.dtype), mode="sum"
    )
    return sums.add_(0.5).floor_().clamp_(0, 255)


def _kernel(x: Float[Tensor, "..."], interpolation: str) -> Float[Tensor, "..."]:
    """Pillow's filter at these distances; its bicubic has a = −0.5."""
    if interpolation == "bilinear":
        return (1.0 - x).clamp(min=0)
    a = -0.5
    near = ((a + 2.0) * x - (a + 3.0)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return torch.where(x < 1.0, near, torch.where(x < 2.0, far, 0.0))

"""Pillow's resize as two matrix products on any device, with exactly Pillow's levels.

Pillow 13 (src/libImaging/Resample.c) filters along one axis, rounds to uint8, filters along the other axis and rounds
again; its coefficients have 22 fractional bits. The products here are exact: in float64, or on a GPU in float32 with each
coefficient split into two parts of 11 bits, so that every sum fits into the 24 bits of a float32.
"""

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from laketag.pipeline.models.preprocessing import Preprocessing

PRECISION_BITS = 32 - 8 - 2
HALF_BITS = 11
SPLIT_TAPS = 32
"""With at most this many taps the sum of the lower parts, taps · 255 · 2¹¹, fits into 24 bits."""
SUPPORT = {"bicubic": 2.0, "bilinear": 1.0}
AxisFilter = tuple[int, np.ndarray, np.ndarray]
"""Where a box begins on an axis, then the first input and the coefficients of each output (see ``taps``)."""
CELLS_AT_ONCE = 1 << 25
"""Most matrix cells in memory at once: 256 MiB in float64."""


def resize_on_device(
    rgb_u8: UInt8[Tensor, "height width 3"],
    boxes_xyxy_px: Int[np.ndarray, "views 4"],
    preprocessing: Preprocessing,
) -> UInt8[Tensor, "views size size 3"]:
    """Each box of the image cropped, resized and cropped again to the visible square."""
    height, width = rgb_u8.shape[:2]
    size = preprocessing.size_px
    at_once = max(1, CELLS_AT_ONCE // (size * max(width, height)))
    views = torch.empty(len(boxes_xyxy_px), size, size, 3, dtype=torch.uint8, device=rgb_u8.device)
    columns_first = np.array([filters_columns_first(box, preprocessing) for box in boxes_xyxy_px.tolist()])
    for first in (False, True):
        (chosen,) = np.nonzero(columns_first == first)
        for start in range(0, len(chosen), at_once):
            chunk = chosen[start : start + at_once]
            views[torch.from_numpy(chunk)] = _resize_chunk(rgb_u8, boxes_xyxy_px[chunk], preprocessing, first)
    return views


def filters_columns_first(box_xyxy_px: list[int], preprocessing: Preprocessing) -> bool:
    """Whether Pillow 13 filters along columns first: if the height shrinks by more than twice what the width shrinks."""
    width, height = box_xyxy_px[2] - box_xyxy_px[0], box_xyxy_px[3] - box_xyxy_px[1]
    resized_width, resized_height = preprocessing.resized_width_height(width, height)
    return height - resized_height > max(0, 2 * (width - resized_width))


def _resize_chunk(
    rgb_u8: UInt8[Tensor, "height width 3"],
    boxes: Int[np.ndarray, "views 4"],
    preprocessing: Preprocessing,
    columns_first: bool,
) -> UInt8[Tensor, "views size size 3"]:
    size, interpolation = preprocessing.size_px, preprocessing.interpolation
    across, down = [], []
    for x0, y0, x1, y1 in boxes.tolist():
        resized_width, resized_height = preprocessing.resized_width_height(x1 - x0, y1 - y0)
        left, top = preprocessing.centre_left_top(resized_width, resized_height)
        across.append((x0, *taps(x1 - x0, resized_width, left, size, interpolation)))
        down.append((y0, *taps(y1 - y0, resized_height, top, size, interpolation)))
    if columns_first:
        return _two_passes(down, across, rgb_u8).transpose(1, 2)
    return _two_passes(across, down, rgb_u8.transpose(0, 1))


def _two_passes(
    first: list[AxisFilter], second: list[AxisFilter], levels: UInt8[Tensor, "along across 3"]
) -> UInt8[Tensor, "views size size 3"]:
    """The levels filtered along the first axis by ``first``, then along the other by ``second``; the axes are swapped."""
    (along, across), size = levels.shape[:2], len(first[0][1])
    half = _filter(_dense(first, along, levels.device), levels.reshape(1, along, across * 3))
    turned = half.view(-1, size, across, 3).transpose(1, 2).reshape(-1, across, size * 3)
    return _filter(_dense(second, across, levels.device), turned).view(-1, size, size, 3)


def taps(
    length: int, resized: int, first: int, count: int, interpolation: str
) -> tuple[Int[np.ndarray, "count"], Int[np.ndarray, "count taps"]]:
    """First input and fixed-point coefficients of ``count`` outputs, beginning with output ``first``, as Pillow computes them.

    If the length stays the same the filter is the identity, because Pillow skips that pass.
    """
    if resized == length:
        return np.arange(first, first + count), np.full((count, 1), 1 << PRECISION_BITS)
    scale = length / resized
    filter_scale = max(scale, 1.0)
    support = SUPPORT[interpolation] * filter_scale
    centre = (np.arange(first, first + count) + 0.5) * scale
    start = np.maximum((centre - support + 0.5).astype(np.int64), 0)
    stop = np.minimum((centre + support + 0.5).astype(np.int64), length)
    offsets = np.arange(int((stop - start).max()))
    arguments = (offsets + start[:, None] - centre[:, None] + 0.5) * (1.0 / filter_scale)
    weights = np.where(offsets < (stop - start)[:, None], _kernel(np.abs(arguments), interpolation), 0.0)
    total = np.cumsum(weights, axis=1)[:, -1:]  # added in order, as Pillow does
    weights = weights / np.where(total != 0, total, 1.0)
    rounded = weights * (1 << PRECISION_BITS)
    return start, np.trunc(rounded + np.where(weights < 0, -0.5, 0.5)).astype(np.int64)


def _kernel(x: Float[np.ndarray, "..."], interpolation: str) -> Float[np.ndarray, "..."]:
    """Pillow's filter at these distances; its bicubic has a = −0.5."""
    if interpolation == "bilinear":
        return np.where(x < 1.0, 1.0 - x, 0.0)
    a = -0.5
    near = ((a + 2.0) * x - (a + 3.0)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return np.where(x < 1.0, near, np.where(x < 2.0, far, 0.0))


def _dense(
    filters: list[AxisFilter],
    length: int,
    device: torch.device,
) -> tuple[Int[Tensor, "views size length"], int]:
    """The filters as dense matrices over the whole axis of the image, and their largest number of taps."""
    most = max(coefficients.shape[1] for _, _, coefficients in filters)
    padded = np.zeros((len(filters), len(filters[0][1]), most), dtype=np.int64)
    positions = np.zeros_like(padded)
    for view, (offset, start, coefficients) in enumerate(filters):
        padded[view, :, : coefficients.shape[1]] = coefficients
        positions[view] = np.minimum(offset + start[:, None] + np.arange(most), length - 1)
    matrix = torch.zeros(*padded.shape[:2], length, dtype=torch.int64, device=device)
    matrix.scatter_add_(2, torch.from_numpy(positions).to(device), torch.from_numpy(padded).to(device))
    return matrix, most


def _filter(
    matrix_taps: tuple[Int[Tensor, "views size length"], int], levels: UInt8[Tensor, "_ length across"]
) -> UInt8[Tensor, "views size across"]:
    """The levels filtered along an axis, rounded and clipped to uint8."""
    matrix, most_taps = matrix_taps
    exact_in_float32 = matrix.device.type != "cpu" and most_taps <= SPLIT_TAPS
    return (filter_split if exact_in_float32 else filter_whole)(matrix, levels)


def filter_whole(
    matrix: Int[Tensor, "views size length"], levels: UInt8[Tensor, "_ length across"]
) -> UInt8[Tensor, "views size across"]:
    """By one product in float64, which is exact for any number of taps."""
    return _round_levels(torch.matmul(matrix.double(), levels.double()).to(torch.int64))


def filter_split(
    matrix: Int[Tensor, "views size length"], levels: UInt8[Tensor, "_ length across"]
) -> UInt8[Tensor, "views size across"]:
    """By two products in float32, exact up to ``SPLIT_TAPS`` taps, because many GPUs are slow in float64."""
    parts = matrix >> HALF_BITS, matrix & ((1 << HALF_BITS) - 1)
    upper, lower = (torch.matmul(part.float(), levels.float()).to(torch.int64) for part in parts)
    return _round_levels((upper << HALF_BITS) + lower)


def _round_levels(total: Int[Tensor, "views size across"]) -> UInt8[Tensor, "views size across"]:
    """Rounds fixed point to levels, as Pillow does after each pass."""
    return ((total + (1 << (PRECISION_BITS - 1))) >> PRECISION_BITS).clamp_(0, 255).to(torch.uint8)

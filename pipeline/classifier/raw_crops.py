"""Raw-space crops: boxes in the pixels of the image, around attended patches."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from laketag.pipeline.classifier.attention import AttendedPatches
from laketag.pipeline.classifier.random_numbers import draw_uniforms, pick_integers, pick_patches
from laketag.pipeline.config import MethodSettings


@dataclass(frozen=True)
class SeenImage:
    """The size of an image, and the part of it that the attention model saw (all of it in the paper)."""

    width_px: int
    height_px: int
    seen_xyxy_px: tuple[float, float, float, float]


def draw_raw_crops(
    image_id: str, attended: AttendedPatches, image: SeenImage, method: MethodSettings
) -> Int[np.ndarray, "crops 4"]:
    """Boxes (x0, y0, x1, y1 exclusive) of the image's raw crops, in pixels."""
    uniforms = draw_uniforms(image_id, method.seed, "raw crops", 3 * method.crops).reshape(method.crops, 3)
    smallest, largest = method.min_side_fraction, method.max_side_fraction
    sides_px = [
        pick_integers(uniforms[:, 1 + axis], int(length * smallest), int(length * largest))
        for axis, length in enumerate((image.width_px, image.height_px))
    ]
    patches = pick_patches(uniforms[:, 0], attended.patches, attended.probabilities)
    return raw_crop_boxes(patches, np.stack(sides_px, axis=1), attended.grid, image)


def raw_crop_boxes(
    patches: Int[np.ndarray, "crops"],
    width_height_px: Int[np.ndarray, "crops 2"],
    attention_grid: int,
    image: SeenImage,
) -> Int[np.ndarray, "crops 4"]:
    """Boxes of these sizes, centred on these patches, clipped at the image's border, at least one pixel wide and high.

    For a grid of 14 over the whole image this is the arithmetic of BIT-DA/ABS@5ba77c6, in integers instead of float32.
    The paper has no rule for sides under two pixels, whose half is 0: such a box is the pixel at its centre.
    """
    x0, y0, x1, y1 = image.seen_xyxy_px
    columns, rows = patches % attention_grid, patches // attention_grid
    widths_px, heights_px = width_height_px.T
    left, right = _edges(columns, widths_px, attention_grid, (x0, x1), image.width_px)
    top, bottom = _edges(rows, heights_px, attention_grid, (y0, y1), image.height_px)
    return np.stack([left, top, right, bottom], axis=1)


def _edges(
    cells: Int[np.ndarray, "crops"],
    sides_px: Int[np.ndarray, "crops"],
    attention_grid: int,
    seen_px: tuple[float, float],
    length_px: int,
) -> tuple[Int[np.ndarray, "crops"], Int[np.ndarray, "crops"]]:
    """Start and end of each box along one axis of the image."""
    begin, extent = seen_px[0], seen_px[1] - seen_px[0]
    cell_start = np.floor(begin + cells * extent / attention_grid).astype(np.int64)
    cell_end = np.minimum(cell_start + int(extent / attention_grid), length_px)
    centre = np.minimum((cell_start + cell_end) // 2, length_px - 1)
    start = np.maximum(centre - sides_px // 2, 0)
    return start, np.maximum(np.minimum(centre + sides_px // 2, length_px), start + 1)

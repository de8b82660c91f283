"""Raw-space crops: boxes in the pixels of the image, around attended patches."""

import numpy as np
from jaxtyping import Int

from laketag.pipeline.classifier.random_numbers import draw_uniforms, pick_integers, pick_patches
from laketag.pipeline.config import MethodSettings


def draw_raw_crops(
    image_id: str,
    patches: Int[np.ndarray, "attended"],
    probabilities: np.ndarray,
    attention_grid: int,
    frame_xyxy_px: tuple[float, float, float, float],
    width_height_px: tuple[int, int],
    method: MethodSettings,
) -> Int[np.ndarray, "crops 4"]:
    """Boxes (x0, y0, x1, y1 exclusive) of the image's raw crops, in pixels."""
    uniforms = draw_uniforms(image_id, method.seed, "raw crops", 3 * method.crops).reshape(method.crops, 3)
    width, height = width_height_px
    shares = method.min_side_fraction, method.max_side_fraction
    return raw_crop_boxes(
        pick_patches(uniforms[:, 0], patches, probabilities),
        pick_integers(uniforms[:, 1], int(width * shares[0]), int(width * shares[1])),
        pick_integers(uniforms[:, 2], int(height * shares[0]), int(height * shares[1])),
        attention_grid,
        frame_xyxy_px,
        width_height_px,
    )


def raw_crop_boxes(
    patches: Int[np.ndarray, "crops"],
    widths_px: Int[np.ndarray, "crops"],
    heights_px: Int[np.ndarray, "crops"],
    attention_grid: int,
    frame_xyxy_px: tuple[float, float, float, float],
    width_height_px: tuple[int, int],
) -> Int[np.ndarray, "crops 4"]:
    """Boxes of these sides centred on these patches, clipped at the image's border, at least one pixel wide and high.

    ``frame_xyxy_px`` is the part of the image that the attention model saw; the whole image in the paper. For a grid
    of 14 over the whole image this is the arithmetic of BIT-DA/ABS@5ba77c6, in whole numbers instead of float32.
    The paper has no rule for sides under two pixels, whose half is 0: here their box is the centre's own pixel.
    """
    x0, y0, x1, y1 = frame_xyxy_px
    width, height = width_height_px
    starts_x, ends_x = _clipped(patches % attention_grid, widths_px, attention_grid, (x0, x1), width)
    starts_y, ends_y = _clipped(patches // attention_grid, heights_px, attention_grid, (y0, y1), height)
    return np.stack([starts_x, starts_y, ends_x, ends_y], axis=1)


def _clipped(
    cells: Int[np.ndarray, "crops"],
    sides_px: Int[np.ndarray, "crops"],
    attention_grid: int,
    frame_px: tuple[float, float],
    limit_px: int,
) -> tuple[Int[np.ndarray, "crops"], Int[np.ndarray, "crops"]]:
    """Start and end along one axis."""
    begin, extent = frame_px[0], frame_px[1] - frame_px[0]
    patch_start = np.floor(begin + cells * extent / attention_grid).astype(np.int64)
    patch_end = np.minimum(patch_start + int(extent / attention_grid), limit_px)
    centre = np.minimum((patch_start + patch_end) // 2, limit_px - 1)
    start = np.maximum(centre - sides_px // 2, 0)
    return start, np.maximum(np.minimum(centre + sides_px // 2, limit_px), start + 1)

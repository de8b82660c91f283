"""Feature-space crops: the image's tokens before one block of the tower, cropped and resized to the full grid."""

from functools import cache

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  # torch's own habit

from laketag.pipeline.classifier.attention import AttendedPatches
from laketag.pipeline.classifier.random_numbers import draw_uniforms, pick_integers, pick_patches
from laketag.pipeline.config import MethodSettings


def draw_feature_crops(
    image_id: str, attended: AttendedPatches, grid: int, method: MethodSettings
) -> Int[np.ndarray, "crops 4"]:
    """Cells (column0, row0, column1, row1 exclusive) of the tower's grid that the image's feature crops keep."""
    uniforms = draw_uniforms(image_id, method.seed, "feature crops", 2 * method.crops).reshape(
        method.crops, 2
    )
    smallest, largest = int(grid * method.min_side_fraction), int(grid * method.max_side_fraction)
    sides = pick_integers(uniforms[:, 1], smallest, largest + (smallest == largest))
    patches = pick_patches(uniforms[:, 0], attended.patches, attended.probabilities)
    return feature_crop_cells(patches, sides, attended.grid, grid)


def feature_crop_cells(
    patches: Int[np.ndarray, "crops"], sides: Int[np.ndarray, "crops"], attention_grid: int, grid: int
) -> Int[np.ndarray, "crops 4"]:
    """The cells up to ``side // 2`` away from each patch, mapped to the tower's grid and clipped at its border.

    From an attention grid of 14 to a tower's grid of 7, 14 or 16 this is the release's mapping: it halves, keeps, or
    computes ``row·16//14``.
    """
    half = sides // 2
    columns = (patches % attention_grid) * grid // attention_grid
    rows = (patches // attention_grid) * grid // attention_grid
    starts = [np.maximum(centre - half, 0) for centre in (columns, rows)]
    ends = [np.minimum(centre + half + 1, grid) for centre in (columns, rows)]
    return np.stack([*starts, *ends], axis=1)


def crop_tokens(
    tokens: Float[Tensor, "images tokens width"],
    image_index: Int[Tensor, "crops"],
    cells_xyxy: Int[np.ndarray, "crops 4"],
) -> Float[Tensor, "crops tokens width"]:
    """Each crop's patches resized to the full grid (bicubic, align_corners off, no antialias), after its image's CLS token.

    The resize is two small matrix products, one for rows and one for columns; the coefficients are torch's own.
    """
    grid = int((tokens.shape[1] - 1) ** 0.5)
    starts_ends = torch.from_numpy(cells_xyxy).to(tokens.device, non_blocking=True)
    matrices = _matrix_table(grid, tokens.device)
    rows = matrices[starts_ends[:, 1], starts_ends[:, 3]]
    columns = matrices[starts_ends[:, 0], starts_ends[:, 2]]
    chosen = tokens[image_index]
    crops, _, width = chosen.shape
    patches = chosen[:, 1:].float().reshape(crops, grid, grid * width)
    patches = torch.bmm(rows, patches).view(crops, grid, grid, width)
    patches = torch.matmul(columns[:, None], patches).view(crops, grid * grid, width)
    return torch.cat([chosen[:, :1], patches.to(tokens.dtype)], dim=1)


@cache
def _matrix_table(grid: int, device: torch.device) -> Float[Tensor, "starts ends grid grid"]:
    """The matrices that resize each part of an axis to all of it, by start and end."""
    table = torch.zeros(grid, grid + 1, grid, grid)
    for length in range(1, grid + 1):
        unit = torch.eye(length)[None, :, :, None]
        resized = F.interpolate(unit, size=(grid, 1), mode="bicubic", align_corners=False)[0, :, :, 0].T
        for start in range(grid - length + 1):
            table[start, start + length, :, start : start + length] = resized
    return table.to(device)

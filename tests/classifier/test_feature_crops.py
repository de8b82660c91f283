import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F  # noqa: N812

from laketag.pipeline.classifier.attention import AttendedPatches
from laketag.pipeline.classifier.feature_crops import crop_tokens, draw_feature_crops, feature_crop_cells
from laketag.pipeline.config import MethodSettings


@pytest.mark.parametrize(
    ("grid", "mapped"),
    [
        (7, lambda cell: cell // 2),
        (14, lambda cell: cell),
        (16, lambda cell: cell * 16 // 14),
        (8, lambda cell: cell * 8 // 14),
    ],
)
def test_patches_map_to_each_grid_as_the_release_does(grid: int, mapped: object) -> None:
    patches = np.arange(196)
    cells = feature_crop_cells(patches, np.zeros(196, dtype=np.int64), 14, grid)
    assert cells[:, 0].tolist() == [mapped(patch % 14) for patch in range(196)]  # type: ignore[operator]
    assert cells[:, 1].tolist() == [mapped(patch // 14) for patch in range(196)]  # type: ignore[operator]
    assert (cells[:, 2:] == cells[:, :2] + 1).all()


@given(grid=st.integers(1, 24), attention_grid=st.integers(1, 24), side=st.integers(0, 30))
def test_cells_are_half_a_side_around_the_patch_clipped_at_the_border(
    grid: int, attention_grid: int, side: int
) -> None:
    patches = np.arange(attention_grid**2)
    cells = feature_crop_cells(patches, np.full(len(patches), side), attention_grid, grid)
    for patch, (c0, r0, c1, r1) in enumerate(cells.tolist()):
        row, column = (
            patch // attention_grid * grid // attention_grid,
            patch % attention_grid * grid // attention_grid,
        )
        assert (r0, r1) == (max(0, row - side // 2), min(grid, row + side // 2 + 1))
        assert (c0, c1) == (max(0, column - side // 2), min(grid, column + side // 2 + 1))


@pytest.mark.parametrize("grid", [1, 2, 7, 8, 14, 16])
def test_every_crop_of_a_grid_is_resized_as_torch_resizes_it(grid: int) -> None:
    generator = torch.Generator().manual_seed(grid)
    tokens = torch.randn(2, 1 + grid * grid, 5, generator=generator)
    rng = np.random.default_rng(grid)
    starts = rng.integers(0, grid, (40, 2))
    ends = np.array([[rng.integers(start + 1, grid + 1) for start in row] for row in starts])
    cells = np.concatenate([starts, ends], axis=1)
    owner = torch.from_numpy(rng.integers(0, 2, 40))
    found = crop_tokens(tokens, owner, cells)
    for crop, (c0, r0, c1, r1) in enumerate(cells.tolist()):
        own = tokens[owner[crop]]
        part = own[1:].view(grid, grid, 5)[r0:r1, c0:c1].permute(2, 0, 1)[None]
        resized = F.interpolate(part, size=(grid, grid), mode="bicubic", align_corners=False)[0]
        assert torch.equal(found[crop, 0], own[0])
        assert torch.allclose(found[crop, 1:], resized.permute(1, 2, 0).reshape(-1, 5), atol=2e-6)


def test_tokens_keep_their_number_format() -> None:
    tokens = torch.randn(1, 5, 4).bfloat16()
    assert crop_tokens(tokens, torch.tensor([0]), np.array([[0, 0, 1, 2]])).dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("grid", "sides"), [(14, range(8, 13)), (16, range(9, 15)), (7, range(4, 7)), (1, range(2))]
)
def test_sides_are_drawn_from_the_papers_range(grid: int, sides: range) -> None:
    corner = AttendedPatches(np.array([0]), np.array([1.0]), 14)
    cells = draw_feature_crops("x", corner, grid, MethodSettings(crops=300))
    assert set(cells[:, 2].tolist()) == {min(grid, side // 2 + 1) for side in sides}

import numpy as np
import pytest

from laketag.pipeline.classifier.attention import attended_patches


def test_attended_patches_are_the_highest_first_and_earlier_of_equal_ones() -> None:
    attention = np.array([0.1, 0.3, 0.1, 0.5], dtype=np.float32)
    attended = attended_patches(attention, 3, 0.03)
    assert attended.patches.tolist() == [3, 1, 0]
    expected = np.exp(attention[[3, 1, 0]].astype(np.float64) / 0.03)
    assert attended.probabilities == pytest.approx(expected / expected.sum())
    assert attended.grid == 2


def test_a_small_grid_gives_all_its_patches() -> None:
    attended = attended_patches(np.full(4, 0.25, dtype=np.float32), 20, 0.03)
    assert sorted(attended.patches.tolist()) == [0, 1, 2, 3]
    assert attended.probabilities == pytest.approx([0.25] * 4)

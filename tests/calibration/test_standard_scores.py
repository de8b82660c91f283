"""Standardised scores against scipy and a plain loop."""

import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import zscore

from laketag.pipeline.calibration.standard_scores import (
    ClassStatistics,
    fit_statistics,
    standard_scores,
    standardise_images,
)


def drawn(images: int, classes: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(images, classes)) * rng.uniform(1, 200, classes) + 50).astype(np.float32)


@pytest.mark.parametrize(("images", "classes"), [(2, 3), (50, 16), (7, 1000)])
def test_both_standardisations_are_scipys_zscore(images: int, classes: int) -> None:
    scores = drawn(images, classes)
    expected = zscore(zscore(scores.astype(np.float64), axis=1, ddof=1), axis=0, ddof=1)
    found = standard_scores(scores, fit_statistics(scores))
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def test_one_score_by_hand() -> None:
    scores = np.array([[1.0, 2.0, 6.0], [4.0, 0.0, 2.0]])
    within = [[(s - statistics.mean(row)) / statistics.stdev(row) for s in row] for row in scores.tolist()]
    column = [row[2] for row in within]
    expected = (within[0][2] - statistics.mean(column)) / statistics.stdev(column)
    assert standard_scores(scores, fit_statistics(scores))[0, 2] == pytest.approx(expected)


@given(st.floats(0.01, 1000), st.floats(-1000, 1000))
def test_brightness_of_an_image_does_not_count_but_only_which_classes_fit_better(
    scale: float, shift: float
) -> None:
    scores = drawn(6, 5).astype(np.float64)
    fitted = fit_statistics(scores)
    np.testing.assert_allclose(
        standard_scores(scores * scale + shift, fitted), standard_scores(scores, fitted), atol=1e-4
    )


def test_a_new_image_is_judged_by_the_frozen_sample_alone() -> None:
    fitted, new = fit_statistics(drawn(40, 8)), drawn(30, 8, seed=1)
    together = standard_scores(new, fitted)
    alone = np.concatenate([standard_scores(row[None], fitted) for row in new])
    assert np.array_equal(together, alone)


def test_without_a_spread_there_is_no_score_and_no_division_by_zero() -> None:
    assert standardise_images(np.full((2, 4), 3.0, np.float32)).tolist() == [[0.0] * 4] * 2
    fitted = ClassStatistics(np.zeros(3), np.array([1.0, 0.0, 2.0]))
    assert standard_scores(np.array([[1.0, 2.0, 3.0]]), fitted)[0, 1] == 0

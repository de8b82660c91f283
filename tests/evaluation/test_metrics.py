"""Metrics against scikit-learn and scipy on random data."""

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.calibration import calibration_curve
from sklearn.metrics import balanced_accuracy_score

from laketag.pipeline.evaluation.metrics import (
    BINS,
    aurc,
    calibration_error,
    macro_recall,
    mcnemar_p,
    reliability,
    risk_coverage,
    wilson_interval,
)

SEEDS = range(5)


def drawn(seed: int, images: int = 400, *, tied: bool = False) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    probability = rng.random(images)
    if tied:
        probability = np.round(probability, 1)
    return rng.random(images) < probability, probability


@pytest.mark.parametrize(("right", "images"), [(0, 5), (5, 5), (1, 3), (137, 200), (7, 100_000)])
def test_the_interval_is_scipys_wilson(right: int, images: int) -> None:
    expected = binomtest(right, images).proportion_ci(0.95, method="wilson")
    assert wilson_interval(right / images, images) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_of_no_image_nothing_is_known() -> None:
    assert wilson_interval(0.0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("one", "other"), [(0, 0), (1, 0), (3, 9), (9, 3), (40, 40), (900, 1100), (20_000, 20_400)]
)
def test_mcnemar_is_the_exact_binomial_test(one: int, other: int) -> None:
    expected = binomtest(one, one + other).pvalue if one + other else 1.0
    assert mcnemar_p(one, other) == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("seed", SEEDS)
def test_macro_recall_is_balanced_accuracy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    true, label = rng.integers(0, 7, 90), rng.integers(0, 7, 90)
    true[true == 3] = 4  # a class without images
    label[label == 3] = 4
    assert macro_recall((true == label).astype(float), true) == pytest.approx(
        balanced_accuracy_score(true, label)
    )


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("tied", [False, True])
def test_calibration_is_that_of_scikit_learns_curve(seed: int, tied: bool) -> None:
    is_right, probability = drawn(seed, tied=tied)
    accuracy, confidence = calibration_curve(is_right, probability, n_bins=BINS)
    bins = reliability(is_right, probability)
    assert [one.accuracy for one in bins] == pytest.approx(list(accuracy))
    assert [one.probability for one in bins] == pytest.approx(list(confidence))
    counts = np.array([one.images for one in bins])
    assert counts.sum() == len(probability)
    expected = float((counts * np.abs(accuracy - confidence)).sum() / counts.sum())
    assert calibration_error(is_right, probability) == pytest.approx(expected)


def test_probabilities_zero_and_one_are_in_the_first_and_last_bin() -> None:
    bins = reliability(np.array([False, True]), np.array([0.0, 1.0]))
    assert [(one.probability, one.accuracy) for one in bins] == [(0.0, 0.0), (1.0, 1.0)]


@pytest.mark.parametrize("seed", SEEDS)
def test_risk_and_coverage_are_counted_image_by_image(seed: int) -> None:
    is_right, probability = drawn(seed, 60)
    pairs = sorted(zip(-probability, is_right, strict=True))
    risks = [sum(not right for _, right in pairs[:kept]) / kept for kept in range(1, 61)]
    coverage, risk = risk_coverage(is_right, probability)
    assert risk == pytest.approx(risks)
    assert coverage == pytest.approx([kept / 60 for kept in range(1, 61)])
    assert aurc(is_right, probability) == pytest.approx(np.mean(risks))


def test_images_with_equal_probabilities_abstain_together_in_whatever_order_they_come() -> None:
    is_right, probability = drawn(1, 200, tied=True)
    coverage, risk = risk_coverage(is_right, probability)
    assert len(coverage) == len(np.unique(probability))
    for threshold, covered, wrong in zip(np.unique(probability)[::-1], coverage, risk, strict=True):
        kept = probability >= threshold
        assert (covered, wrong) == pytest.approx((kept.mean(), 1 - is_right[kept].mean()))
    order = np.random.default_rng(2).permutation(200)
    assert aurc(is_right[order], probability[order]) == pytest.approx(aurc(is_right, probability))

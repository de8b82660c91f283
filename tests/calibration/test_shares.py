"""Probabilities against the classifier's own, and the fitted factor against scipy."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from sklearn.metrics import log_loss

from laketag.pipeline.calibration.shares import (
    FACTORS,
    ShareRule,
    fit_factor,
    label_loss,
    sharpen,
)
from laketag.pipeline.classifier.probabilities import share_by_cosine, share_by_score


def drawn(images: int, classes: int, low: float, high: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(low, high, (images, classes)).astype(np.float32)


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-500, 500), (-5, -1), (1e-3, 1e30)])
def test_shares_are_those_of_label_rows(low: float, high: float) -> None:
    scores = drawn(20, 12, low, high)
    of_scores = share_by_score(torch.from_numpy(scores), 100, 3.0).numpy()
    np.testing.assert_allclose(ShareRule("score", 3.0, 100).share(scores), of_scores, rtol=1e-9)
    of_cosines = share_by_cosine(torch.from_numpy(scores / 1e31), 100.0).numpy()
    np.testing.assert_allclose(ShareRule("cosine", 100.0, 1).share(scores / 1e31), of_cosines, rtol=1e-9)


@pytest.mark.parametrize("sharpness", [0.2, 0.7, 1.0, 3.0])
def test_the_factor_is_scipys_minimum_and_finds_the_one_that_made_the_classes(sharpness: float) -> None:
    rng = np.random.default_rng(3)
    probabilities = ShareRule("cosine", 4.0, 1).share(drawn(4000, 6, -1, 1))
    real = sharpen(probabilities, sharpness)
    truth = np.array([rng.choice(6, p=row) for row in real])
    found = fit_factor(probabilities, truth)
    expected = minimize_scalar(
        lambda log: label_loss(sharpen(probabilities, np.exp(log)), truth), bracket=(-1, 1)
    )
    assert found == pytest.approx(float(np.exp(expected.x)), rel=1e-3)
    assert found == pytest.approx(sharpness, rel=0.15)


def test_the_loss_is_scikit_learns_of_a_label_that_is_right_or_wrong() -> None:
    rng = np.random.default_rng(4)
    probabilities = ShareRule("cosine", 4.0, 1).share(drawn(200, 5, -1, 1))
    truth = rng.integers(0, 5, 200)
    is_right = probabilities.argmax(axis=1) == truth
    assert label_loss(probabilities, truth) == pytest.approx(log_loss(is_right, probabilities.max(axis=1)))


def test_a_label_that_is_wrong_by_far_does_not_make_the_others_unsure() -> None:
    """The true class of every tenth image has next to no probability, as with scores of soft matching."""
    sure = np.tile([0.9, 0.1, 1e-9], (90, 1))
    probabilities = np.concatenate([sure, sure[:10]])
    truth = np.array([0] * 90 + [2] * 10)
    assert fit_factor(probabilities, truth) == pytest.approx(1, abs=1e-3)
    assert sharpen(probabilities, fit_factor(probabilities, truth))[0, 0] == pytest.approx(0.9, abs=1e-3)


def test_labels_that_are_always_or_never_right_give_the_ends_of_the_factor() -> None:
    probabilities = np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0]])
    assert sharpen(probabilities, fit_factor(probabilities, np.array([0, 1]))).max(axis=1) == pytest.approx(1)
    assert fit_factor(probabilities, np.array([2, 2])) == pytest.approx(FACTORS[0])


def test_a_factor_keeps_the_order_and_one_changes_nothing() -> None:
    probabilities = ShareRule("score", 1.0, 9).share(drawn(50, 7, -1, 3))
    for factor in (0.1, 1.0, 10.0):
        changed = sharpen(probabilities, factor)
        assert np.array_equal(np.argsort(-changed, kind="stable"), np.argsort(-probabilities, kind="stable"))
        np.testing.assert_allclose(changed.sum(axis=1), 1)
    np.testing.assert_allclose(sharpen(probabilities, 1.0), probabilities, rtol=1e-12)

"""Bounds against scipy, and whether the promised precision holds on data that the threshold has not seen."""

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from laketag.pipeline.calibration.thresholds import (
    CANDIDATES,
    Promise,
    binomial_tail,
    candidate_ranks,
    choose_threshold,
    clopper_pearson,
)


@pytest.mark.parametrize(
    ("successes", "trials"), [(0, 9), (9, 9), (1, 30), (27, 30), (950, 1000), (3, 20_000)]
)
def test_bounds_are_scipys_exact_interval(successes: int, trials: int) -> None:
    expected = binomtest(successes, trials).proportion_ci(0.9, "exact")
    assert clopper_pearson(successes, trials, 0.05) == pytest.approx((expected.low, expected.high), abs=1e-9)
    for p in (0.001, 0.5, 0.95):
        assert binomial_tail(successes, trials, p) == pytest.approx(
            binom.sf(successes - 1, trials, p), rel=1e-6
        )


@pytest.mark.parametrize("precision", [0.5, 0.8, 0.9, 0.99])
def test_the_fewest_examples_are_those_of_the_binomial_distribution(precision: float) -> None:
    promise = Promise(precision)
    chance = precision**promise.fewest
    assert chance <= 0.05 / CANDIDATES < chance / precision


def test_candidates_are_fixed_by_the_number_of_images_alone() -> None:
    promise = Promise(0.9)
    ranks = candidate_ranks(2000, promise)
    assert len(ranks) == CANDIDATES
    assert (ranks[0], ranks[-1]) == (promise.fewest, 1999)
    assert candidate_ranks(promise.fewest, promise) == []
    assert candidate_ranks(promise.fewest + 1, promise) == [promise.fewest]


def rate_of_right(scores: np.ndarray) -> np.ndarray:
    """The chance that the class is right, which rises with the score to 0.98."""
    chance: np.ndarray = 0.98 / (1 + np.exp(-4 * (scores - 0.5)))
    return chance


def test_the_precision_holds_on_new_images_with_the_promised_confidence() -> None:
    rng = np.random.default_rng(0)
    new = np.sort(rng.normal(size=200_000))[::-1]
    precision_above = np.cumsum(rate_of_right(new)) / np.arange(1, len(new) + 1)
    promise = Promise(0.8, confidence=0.9)
    broken, chosen, draws = 0, 0, 400
    for _ in range(draws):
        scores = rng.normal(size=400)
        found = choose_threshold(scores, rng.random(400) < rate_of_right(scores), promise)
        if found is None:
            continue
        chosen += 1
        assert found.low >= promise.precision
        above = int(np.searchsorted(-new, -found.value))
        broken += bool(precision_above[max(0, above - 1)] < promise.precision)
    assert chosen > draws // 2, "else the promise is kept by never accepting"
    # more than this many of the draws would break it with a chance below 1 in 1000, were the confidence as promised
    assert broken <= binom.ppf(0.999, draws, 1 - promise.confidence)


def test_too_few_or_too_bad_examples_give_no_threshold() -> None:
    promise = Promise(0.9)
    scores = np.linspace(1, 0, 60)
    assert choose_threshold(scores, np.ones(60, bool), promise) is not None
    assert choose_threshold(scores[: promise.fewest], np.ones(promise.fewest, bool), promise) is None
    assert choose_threshold(scores, np.arange(60) % 3 > 0, promise) is None


def test_equal_scores_are_accepted_together_or_not_at_all() -> None:
    promise = Promise(0.5)
    scores = np.array([2.0] * 30 + [1.0] * 30 + [0.0] * 40)
    is_right = np.array([True] * 30 + [False] * 70)
    found = choose_threshold(scores, is_right, promise)
    assert found is not None
    assert (found.value, found.images, found.precision) == (1.0, 30, 1.0)
    assert choose_threshold(np.zeros(100), np.ones(100, bool), promise) is None, "none is over the others"

"""Whether sets contain the true class as often as promised, and no more often than they must."""

import numpy as np
import pytest

from laketag.pipeline.calibration.conformal import fewest_images, least_share


def world(rng: np.random.Generator, images: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that are too sure, and the true classes."""
    logits = rng.normal(size=(images, 5))
    real = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = (real.cumsum(axis=1) > rng.random((images, 1))).argmax(axis=1)
    stated = np.exp(3 * logits) / np.exp(3 * logits).sum(axis=1, keepdims=True)
    return stated, truth


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9])
def test_coverage_on_new_images_is_that_promised_by_the_finite_sample(coverage: float) -> None:
    """It is between the coverage and the coverage + 1 / (n + 1), in the mean over samples."""
    rng = np.random.default_rng(1)
    images, hits = 30, []
    for _ in range(1500):
        least = least_share(*world(rng, images), coverage)
        assert least is not None
        new, truth = world(rng, 20)
        hits.append((new[np.arange(20), truth] >= least).mean())
    mean, error = float(np.mean(hits)), float(np.std(hits) / np.sqrt(len(hits)))
    assert coverage - 4 * error <= mean <= coverage + 1 / (images + 1) + 4 * error


@pytest.mark.parametrize("coverage", [0.5, 0.75, 0.8, 0.9, 0.95, 0.99])
def test_too_few_images_promise_nothing(coverage: float) -> None:
    fewest = fewest_images(coverage)
    probabilities, truth = world(np.random.default_rng(2), fewest)
    own = probabilities[np.arange(fewest), truth]
    assert least_share(probabilities, truth, coverage) == own.min()
    assert least_share(probabilities[1:], truth[1:], coverage) is None
    assert fewest == pytest.approx(coverage / (1 - coverage))


def test_the_rank_is_that_of_the_rule() -> None:
    probabilities = np.array([[p, 1 - p] for p in (0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)])
    truth = np.zeros(9, np.int64)
    assert least_share(probabilities, truth, 0.5) == 0.5  # rank 5 of 9
    assert least_share(probabilities, truth, 0.8) == 0.2  # rank 8

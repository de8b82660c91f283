"""A whole calibration: what it promises, refuses and decides."""

import numpy as np
import pytest

from laketag.pipeline.calibration.fit import (
    NEVER_CHANGES,
    OUTSIDE,
    Sample,
    Wanted,
    conformal_notice,
    fit_calibration,
)
from laketag.pipeline.calibration.shares import ShareRule
from laketag.pipeline.calibration.thresholds import Promise
from laketag.pipeline.errors import InputError
from laketag.pipeline.evaluation.metrics import calibration_error

NAMES = ("photos", "f00d")
CLASSES = ("cat", "dog", "bird", "fish", "ant", "bee", "cow", "elk", "fox", "hen", "owl", "pig")
RULE = ShareRule("cosine", 10.0, 1)


def world(images: int, seed: int, outside: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Scores of images, of which the last ``outside`` are of no class, and their true classes."""
    rng = np.random.default_rng(seed)
    truth = np.concatenate([rng.integers(0, 12, images - outside), np.full(outside, OUTSIDE)])
    scores = rng.normal(0.2, 0.05, (images, 12))
    seen = truth >= 0
    scores[np.flatnonzero(seen), truth[seen]] += rng.choice([0.05, 0.3], seen.sum(), p=[0.3, 0.7])
    return scores.astype(np.float32), truth


def sample(images: int, seed: int = 0, outside: int = 0, *, is_known: bool = True) -> Sample:
    scores, truth = world(images, seed, outside)
    return Sample(CLASSES, scores, RULE.share(scores), RULE, truth if is_known else None)


def test_what_is_accepted_on_new_images_is_right_as_often_as_promised_also_with_images_outside() -> None:
    calibration, reliability = fit_calibration(sample(2000, 0, 400), Wanted(Promise(0.9)), NAMES)
    assert not calibration.refused
    scores, truth = world(4000, 1, 800)
    best = [[CLASSES[n]] for n in scores.argmax(axis=1)]
    rows = calibration.decide(scores, RULE.share(scores), best)
    accepted = [(tag["label"], truth[n]) for n, row in enumerate(rows) for tag in row["accepted"]]
    for number, name in enumerate(CLASSES):
        right = [true == number for label, true in accepted if label == name]
        assert len(right) > 100
        assert np.mean(right) >= 0.9
    abstained = np.array([row["abstained"] for row in rows])
    assert abstained[truth == OUTSIDE].mean() > 0.5 > abstained[truth != OUTSIDE].mean()
    assert all(row["abstained"] == (row["accepted"] == []) for row in rows)

    # the conformal set and the probability hold on new images of the classes
    inside = np.flatnonzero(truth >= 0)
    covered = np.mean([CLASSES[truth[n]] in rows[n]["conformal_set"] for n in inside])
    assert covered == pytest.approx(0.9, abs=0.03)
    is_right = scores.argmax(axis=1) == truth
    stated = np.array([row["calibrated_probability"] for row in rows])
    before = RULE.share(scores).max(axis=1)
    assert calibration_error(is_right[inside], stated[inside]) < 0.04
    assert calibration_error(is_right[inside], before[inside]) > 0.05
    assert reliability is not None
    assert reliability.loss_after < reliability.loss_before
    assert reliability.images == 1600
    assert reliability.ece_after < reliability.ece_before


def test_without_classes_every_class_has_the_same_threshold_and_several_or_none_may_be_over_it() -> None:
    calibration, reliability = fit_calibration(sample(500, is_known=False), Wanted(least_score=1.0), NAMES)
    assert reliability is None
    assert {one.threshold for one in calibration.classes} == {1.0}
    scores = np.full((3, 12), 0.2, np.float32)
    scores[0, :2] = scores[2, 2] = 0.7
    first, none, third = calibration.decide(scores, RULE.share(scores), [["cat", "dog"], ["cat"], ["bird"]])
    assert {tag["label"] for tag in first["accepted"]} == {"cat", "dog"}
    assert sorted(first["tag_scores"]) == sorted(tag["score"] for tag in first["accepted"])
    assert (none["accepted"], none["abstained"]) == ([], True)
    assert [tag["label"] for tag in third["accepted"]] == ["bird"]
    assert first["calibrated_probability"] is first["conformal_set"] is None


def test_classes_with_too_few_examples_or_one_score_are_refused_by_name_and_never_accepted() -> None:
    scores, truth = world(1200, 2)
    truth[truth == 2] = OUTSIDE
    truth[:5] = 2
    calibration, _ = fit_calibration(
        Sample(CLASSES, scores, RULE.share(scores), RULE, truth), Wanted(Promise(0.8)), NAMES
    )
    fewest = Promise(0.8).fewest
    assert calibration.refused == {"bird": f"5 of the at least {fewest} examples that precision 0.8 needs"}
    certain = np.eye(12, dtype=np.float32)[2:3]
    (row,) = calibration.decide(certain, RULE.share(certain), [["bird"]])
    assert (row["accepted"], row["abstained"]) == ([], True)

    still = np.array([np.arange(12)] * 2, np.float32)
    calibration, _ = fit_calibration(Sample(CLASSES, still, RULE.share(still), RULE), Wanted(), NAMES)
    assert set(calibration.refused.values()) == {NEVER_CHANGES}


def test_a_class_whose_examples_are_too_often_wrong_is_refused_for_that() -> None:
    scores, truth = world(1200, 3)
    confused = truth == 1
    scores[confused, 0] += 0.5
    calibration, _ = fit_calibration(
        Sample(CLASSES, scores, RULE.share(scores), RULE, truth), Wanted(Promise(0.9)), NAMES
    )
    assert "no threshold reaches precision 0.9 on its" in calibration.refused["cat"]


@pytest.mark.parametrize(
    ("scores", "says"),
    [
        (np.zeros((9, 2)), "the set has 2 classes; standardised scores need at least 3"),
        (np.zeros((1, 3)), "1 images have scores; a calibration needs at least 2"),
    ],
)
def test_what_no_statistics_can_be_taken_of_is_refused(scores: np.ndarray, says: str) -> None:
    with pytest.raises(InputError, match=says):
        fit_calibration(Sample(CLASSES[: scores.shape[1]], scores, scores, RULE), Wanted(), NAMES)


def test_if_no_class_has_enough_examples_the_message_says_how_many_it_takes() -> None:
    with pytest.raises(
        InputError, match=rf"takes at least {Promise(0.9).fewest} images of a class, and .* --min-score"
    ):
        fit_calibration(sample(60), Wanted(Promise(0.9)), NAMES)


def test_too_few_images_have_no_conformal_sets_which_is_said() -> None:
    calibration, _ = fit_calibration(sample(8), Wanted(coverage=0.9), NAMES)
    assert calibration.least_share is None
    assert calibration.factor is not None
    assert (
        conformal_notice(8, 0.9)
        == "8 images with a true class are too few for conformal sets: coverage 0.9 needs 9"
    )
    assert conformal_notice(9, 0.9) is None

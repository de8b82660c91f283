from collections import Counter, defaultdict

import pytest

from laketag.pipeline.reporting.counts import BINS, count_rows
from laketag.schemas import NONE_OF_THESE
from tests.reporting.made_rows import as_frame, random_rows


def test_counts_are_those_of_a_plain_loop() -> None:
    rows = random_rows(400)
    counts = count_rows(as_frame(rows))
    labelled = [row for row in rows if row["label"]]
    with_class = [row for row in labelled if row["label"] != NONE_OF_THESE]
    known = [row for row in with_class if row["true_class"]]
    right = [row for row in known if row["true_class"] == row["label"]]
    assert (counts.labelled, counts.failed) == (len(labelled), len(rows) - len(labelled))
    assert counts.none == len(labelled) - len(with_class) > 10
    assert counts.accuracy == pytest.approx(len(right) / len(known))
    assert counts.mean_probability == pytest.approx(
        sum(row["probability"] for row in with_class) / len(with_class)
    )
    by_class = Counter(row["label"] for row in labelled)
    assert dict(counts.classes.select("label", "images").iter_rows()) == by_class
    assert counts.classes["images"].is_sorted(descending=True)
    for label, mean in counts.classes.select("label", "mean_probability").iter_rows():
        own = [row["probability"] for row in with_class if row["label"] == label]
        assert mean == (pytest.approx(sum(own) / len(own)) if own else None)
    bins = Counter(min(int(row["probability"] * BINS), BINS - 1) for row in with_class)
    assert dict(counts.probabilities.select("bin", "images").iter_rows()) == bins
    outcomes = Counter((row["status"], row["failure"], row["label"] == NONE_OF_THESE) for row in rows)
    found = counts.outcomes.select("status", "failure", "is_none", "images").iter_rows()
    assert {tuple(names): images for *names, images in found} == outcomes
    assert Counter((row["true_class"], row["label"]) for row in known) == {
        (true, label): images for true, label, images in counts.truths.iter_rows()
    }


def test_a_pair_has_the_probability_that_each_of_its_classes_leaves_to_the_other() -> None:
    rows = random_rows(300, seed=1)
    mass: dict[tuple[str, ...], float] = defaultdict(float)
    for row in rows:
        if row["label"] and row["label"] != NONE_OF_THESE:
            for tag in row["tags"][1:]:
                mass[tuple(sorted((row["label"], tag["label"])))] += tag["probability"]
    pairs = count_rows(as_frame(rows)).pairs
    assert {(one, other): total for one, other, total, _ in pairs.iter_rows()} == pytest.approx(dict(mass))
    assert pairs["mass"].is_sorted(descending=True)


def test_a_label_that_a_person_gave_counts_and_has_no_probability() -> None:
    decided = random_rows(1)[0] | {
        "label": "cat",
        "probability": None,
        "margin": None,
        "failure": None,
        "tags": None,
    }
    none = decided | {"image_id": "none", "label": NONE_OF_THESE}
    counts = count_rows(as_frame([decided, none]))
    assert (counts.labelled, counts.none, counts.failed, counts.mean_probability) == (2, 1, 0, None)
    assert counts.probabilities.is_empty()

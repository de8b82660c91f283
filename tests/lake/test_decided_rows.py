"""Every query prefers a decision about the labelled version to the label, and says so."""

import polars as pl
import pytest

from laketag.pipeline.lake import queries
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.snapshots import write_snapshot
from laketag.pipeline.lake.sql import sql
from tests.lake.calibrated import calibrated_row
from tests.lake.decision_rows import decide
from tests.lake.label_rows import index_rows, label_row
from tests.lake.run_rows import write_run


@pytest.fixture
def decided(lake: Lake) -> Lake:
    """Of the cats a–g, a is decided to be a dog, b to be a cat, c none of these, d failed and is a dog, e has changed since."""
    rows = [label_row(name, probability=0.6) for name in "abceg"] + [label_row("d", failure="timeout")]
    write_run(lake, 1, rows)
    decide(lake, "a", "dog")
    decide(lake, "b", "cat")
    decide(lake, "c", None)
    decide(lake, "d", "dog")
    decide(lake, "e", "dog", etag="v0")
    decide(lake, "g", "dog", set_name="others")
    return lake


def test_labels_have_the_decided_class_and_the_numbers_of_the_classifier_only_if_it_agrees(decided) -> None:
    rows = queries.labels(decided.root).sort("image_id")
    told = ("image_id", "label", "source", "predicted", "probability", "margin")
    probability = pytest.approx(0.6)
    assert rows.select(told).collect().rows() == [
        ("a", "dog", "decision", "cat", None, None),
        ("b", "cat", "decision", "cat", probability, 1.5),
        ("c", "none of these", "decision", "cat", None, None),
        ("d", "dog", "decision", None, None, None),
        ("e", "cat", "classifier", "cat", probability, 1.5),
        ("g", "cat", "classifier", "cat", probability, 1.5),
    ]
    assert queries.failures(decided.root).collect().is_empty()


def test_a_decided_image_has_the_decided_class_as_its_only_tag(decided) -> None:
    tags = queries.tags(decided.root).sort("image_id", "rank").select("image_id", "label", "rank")
    assert tags.filter(pl.col("image_id").is_in(list("abcde"))).collect().rows() == [
        ("a", "dog", 1),
        ("b", "cat", 1),
        ("d", "dog", 1),
        ("e", "cat", 1),
        ("e", "other", 2),
    ]


def test_what_is_decided_is_not_in_doubt(decided) -> None:
    assert queries.unsure(decided.root).collect()["image_id"].to_list() == ["e", "g"]


def test_the_summary_counts_decided_labels_also_those_of_no_class(decided) -> None:
    found = queries.summary(decided.root).select("label", "images", "decided", "mean_probability")
    probability = pytest.approx(0.6)
    assert found.collect().rows() == [
        ("cat", 3, 1, probability),
        ("dog", 2, 2, None),
        ("none of these", 1, 1, None),
    ]


def test_a_decided_label_passes_any_bound_of_the_probability(decided) -> None:
    found = queries.labels(decided.root, min_probability=0.9)
    assert sorted(found.collect()["image_id"]) == ["a", "b", "c", "d"]


def test_none_of_these_is_one_label_whether_a_person_or_a_calibration_says_so(lake: Lake) -> None:
    rows = [calibrated_row(name, {}) for name in "ab"]
    accepted = [calibrated_row(name, {"cat": 2.5}) for name in "cde"]
    write_run(lake, 1, [*rows, *accepted], calibration="d" * 16)
    decide(lake, "b", "cat")  # which it has abstained from
    decide(lake, "c", None)
    decide(lake, "d", "dog")
    told = ("image_id", "label", "source", "predicted", "calibrated_probability", "margin")
    assert queries.labels(lake.root).sort("image_id").select(told).collect().rows() == [
        ("a", "none of these", "classifier", "cat", None, None),
        ("b", "cat", "decision", "cat", 0.5, 1.5),
        ("c", "none of these", "decision", "cat", None, None),
        ("d", "dog", "decision", "cat", None, None),
        ("e", "cat", "classifier", "cat", 0.5, 1.5),
    ]
    assert sorted(queries.labels(lake.root, label="none of these").collect()["image_id"]) == ["a", "c"]
    assert (
        queries.labels(lake.root, label="none of these", min_probability=0.5).collect()["image_id"].item()
        == "c"
    )
    counted = queries.summary(lake.root).select("label", "images", "decided").collect()
    assert counted.rows() == [("cat", 2, 1), ("none of these", 2, 1), ("dog", 1, 1)]
    shown = queries.labels(lake.root, also_abstained=True).sort("image_id").collect()
    assert shown["label"].to_list() == ["cat", "cat", "none of these", "dog", "cat"]
    accepted_only = queries.labels(lake.root, accepted=True).sort("image_id").collect()
    assert accepted_only["image_id"].to_list() == ["b", "d", "e"]


def test_sql_reads_decided_labels_and_decisions(decided) -> None:
    counted = "SELECT source, count(*) AS images FROM labels GROUP BY source ORDER BY source"
    assert sql(decided.root, counted).collect().rows() == [("classifier", 2), ("decision", 4)]
    verdicts = "SELECT verdict, count(*) AS n FROM decisions GROUP BY verdict ORDER BY verdict"
    assert sql(decided.root, verdicts).collect().rows() == [("class", 5), ("none_of_these", 1)]


def test_a_named_run_shows_exactly_its_own_rows(decided) -> None:
    (run_id,) = queries.runs(decided.root).collect()["run_id"]
    found = queries.labels(decided.root, run_id=run_id).collect()
    assert set(found["source"]) == {"classifier"}
    assert set(found["label"]) == {"cat"}
    assert queries.failures(decided.root, run_id=run_id).collect()["image_id"].to_list() == ["d"]


def test_a_decision_survives_runs_and_classifiers_until_the_image_changes(decided) -> None:
    def label_of_a() -> tuple[str, str]:
        rows = queries.labels(decided.root).filter(pl.col("image_id") == "a")
        return rows.select("label", "source").collect().row(0)

    write_run(decided, 2, [label_row("a")])
    assert label_of_a() == ("dog", "decision")
    write_run(decided, 3, [label_row("a", label="bird")], classifier="new")
    assert label_of_a() == ("dog", "decision")
    write_run(decided, 4, [label_row("a", etag="v2")], classifier="new")
    assert label_of_a() == ("cat", "classifier")


def test_decisions_are_listed_with_what_became_of_them(decided) -> None:
    decide(decided, "b", None, age_s=60)
    write_snapshot(decided, "photos", [index_rows("abdeg")])
    found = queries.decisions(decided.root, description_set="animals").collect()
    assert sorted(found.select("image_id", "label", "status").rows(), key=str) == [
        ("a", "dog", "current"),
        ("b", "cat", "current"),
        ("b", "none of these", "replaced"),
        ("c", "none of these", "removed"),
        ("d", "dog", "current"),
        ("e", "dog", "stale"),
    ]
    assert found["image_id"][0] == "b"  # the oldest

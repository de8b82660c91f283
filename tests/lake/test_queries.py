"""What queries return from lakes whose runs are known."""

from datetime import timedelta

import polars as pl
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import InputError
from laketag.pipeline.lake import queries
from laketag.pipeline.lake.current_rows import FROM_INDEX, FROM_RUN
from laketag.pipeline.lake.decided_rows import FROM_DECISIONS
from laketag.pipeline.lake.paths import open_lake
from laketag.pipeline.lake.sql import sql
from laketag.schemas import Labels, Runs
from tests.lake.calibrated import calibrated_row
from tests.lake.decision_rows import decide
from tests.lake.label_rows import EPOCH, label_row
from tests.lake.run_rows import write_run
from tests.stores.store import Store


def ids(frame: pl.LazyFrame) -> list[str]:
    return frame.collect()["image_id"].to_list()


def test_the_newest_row_of_each_image_wins_on_every_store(store: Store):
    lake = open_lake(store.root, store.storage)
    write_run(lake, 1, [label_row("a"), label_row("b"), label_row("c", failure="timeout")], files=2)
    write_run(
        lake, 2, [label_row("b", failure="empty"), label_row("c", label="dog"), label_row("d", label="dog")]
    )
    write_run(lake, 3, [label_row("a", failure="empty"), label_row("z")], committed=False)

    labels = queries.labels(store.root, storage=store.storage).sort("image_id").collect()
    assert labels.select("image_id", "label").rows() == [("a", "cat"), ("c", "dog"), ("d", "dog")]
    failures = queries.failures(store.root, storage=store.storage).collect()
    assert failures.select("image_id", "failure").rows() == [("b", "empty")]
    summary = queries.summary(store.root, storage=store.storage).collect()
    assert summary.select("label", "images", "mean_probability").rows() == [
        ("dog", 2, 0.75),
        ("cat", 1, 0.75),
    ]
    assert queries.runs(store.root, storage=store.storage).collect().height == 2
    tags = queries.tags(store.root, storage=store.storage, min_probability=0.5).sort("image_id").collect()
    assert tags.select("image_id", "label", "rank").rows() == [
        ("a", "cat", 1),
        ("c", "dog", 1),
        ("d", "dog", 1),
    ]


OUTCOMES = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(["cat", "dog", None]), max_size=6)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(OUTCOMES, st.sampled_from(["f1", "f2"]), st.booleans()), min_size=1, max_size=5))
def test_labels_and_failures_are_every_image_exactly_once(tmp_path_factory, runs):
    """Against a plain loop: of the classifier of the newest committed run that has a label or planned nothing, the last
    outcome of each image."""
    assume(any(committed for _, _, committed in runs))
    lake = open_lake(str(tmp_path_factory.mktemp("lake")), StorageSettings())
    for number, (outcomes, classifier, committed) in enumerate(runs, 1):
        rows = [
            label_row(image, label=label) if label else label_row(image, failure="empty")
            for image, label in outcomes.items()
        ]
        write_run(lake, number, rows, classifier=classifier, committed=committed)
    committed_runs = [(outcomes, classifier) for outcomes, classifier, committed in runs if committed]
    counting = [run for run in committed_runs if any(run[0].values()) or not run[0]]
    _, current = (counting or committed_runs)[-1]
    expected: dict[str, str | None] = {}
    for outcomes, classifier in committed_runs:
        if classifier == current:
            expected |= outcomes
    labelled = queries.labels(lake.root).select("image_id", "label").collect().rows()
    failed = queries.failures(lake.root).select("image_id", "failure").collect().rows()
    assert sorted(labelled) == sorted((image, label) for image, label in expected.items() if label)
    assert sorted(failed) == sorted((image, "empty") for image, label in expected.items() if label is None)


def test_an_older_classifier_is_seen_by_naming_it(lake):
    write_run(lake, 1, [label_row("a")], classifier="old")
    write_run(lake, 2, [label_row("a", label="dog")], classifier="new")
    assert queries.labels(lake.root).collect()["label"].to_list() == ["dog"]
    assert queries.labels(lake.root, classifier="old").collect()["label"].to_list() == ["cat"]


def test_a_named_run_shows_its_own_rows_even_if_they_were_replaced(lake):
    first = write_run(lake, 1, [label_row("a"), label_row("b")])
    write_run(lake, 2, [label_row("a", label="dog")])
    frame = queries.labels(lake.root, run_id=first).sort("image_id").collect()
    assert frame.select("image_id", "label").rows() == [("a", "cat"), ("b", "cat")]


def test_each_collection_and_set_has_its_own_newest_classifier(lake):
    write_run(lake, 1, [label_row("a")], classifier="f1", description_set="animals")
    write_run(lake, 2, [label_row("a", label="tree")], classifier="f2", description_set="plants")
    write_run(lake, 3, [label_row("a", label="dog")], classifier="f1", collection="scans")
    rows = queries.labels(lake.root).select(*FROM_RUN, "label").collect().sort("classifier", "label").rows()
    assert rows == [
        ("photos", "animals", "f1", "cat"),
        ("scans", "animals", "f1", "dog"),
        ("photos", "plants", "f2", "tree"),
    ]
    assert queries.labels(lake.root, collection="scans").collect()["label"].to_list() == ["dog"]
    assert queries.labels(lake.root, description_set="plants").collect()["label"].to_list() == ["tree"]


def test_a_class_is_found_by_any_spelling_that_looks_like_its_name(lake):
    write_run(lake, 1, [label_row("a", label="café"), label_row("b")])
    for spelling in ("café", "cafe\u0301", "\ufeffcafé"):
        assert queries.labels(lake.root, label=spelling).collect()["image_id"].to_list() == ["a"]


def test_rows_are_filtered_by_class_probability_reason_and_time(lake):
    rows = [label_row("a"), label_row("b", label="dog", probability=0.9), label_row("c", age_s=3600)]
    write_run(lake, 1, [*rows, label_row("d", failure="empty"), label_row("e", failure="timeout")])
    assert ids(queries.labels(lake.root, label="dog")) == ["b"]
    assert ids(queries.labels(lake.root, min_probability=0.8)) == ["b"]
    assert ids(queries.labels(lake.root, since=EPOCH)) == ["a", "b"]
    assert ids(queries.labels(lake.root, since=(EPOCH - timedelta(hours=2)).replace(tzinfo=None))) == [
        "a",
        "b",
        "c",
    ]
    assert ids(queries.failures(lake.root, failure="timeout")) == ["e"]
    assert queries.tags(lake.root, label="other").collect()["rank"].unique().to_list() == [2]
    assert queries.runs(lake.root, since=EPOCH + timedelta(days=2)).collect().is_empty()


def test_an_unknown_filter_is_a_mistake_and_not_ignored(lake):
    with pytest.raises(
        TypeError,
        match="no filter colection; choose from accepted, also_abstained, also_removed, classifier, collection",
    ):
        queries.labels(lake.root, colection="photos")
    with pytest.raises(TypeError, match="no filter label"):
        queries.failures(lake.root, label="cat")


def test_the_summary_shows_the_most_probable_images_first(lake):
    rows = [
        label_row(name, probability=p) for name, p in zip("abcde", (0.5, 0.9, 0.7, 0.8, 0.6), strict=True)
    ]
    write_run(lake, 1, rows)
    row = queries.summary(lake.root).collect().row(0, named=True)
    assert row["examples"] == ["/images/b.png", "/images/d.png", "/images/c.png"]
    assert row["mean_probability"] == pytest.approx(0.7)


def test_a_run_without_rows_answers_every_query_with_the_same_columns(lake, tmp_path_factory):
    full = open_lake(str(tmp_path_factory.mktemp("full")), StorageSettings())
    write_run(full, 1, [label_row("a")])
    write_run(lake, 1, [])
    for table in queries.TABLES.values():
        empty = table(lake.root).collect()
        assert empty.schema == table(full.root).collect().schema, table.__name__
        assert table is queries.runs or empty.is_empty()


@pytest.mark.parametrize("name", [*queries.TABLES, "sql"])
def test_a_lake_that_is_not_there_or_has_no_finished_run_is_refused(lake, tmp_path, name):
    write_run(lake, 1, [label_row("a")], committed=False)
    for root in (lake.root, str(tmp_path / "nowhere")):
        with pytest.raises(InputError, match=r"holds no finished run, .* label with: laketag label --root"):
            sql(root, "SELECT * FROM labels") if name == "sql" else queries.TABLES[name](root)


IDS = ["image_id", "etag", "run_id", "classifier"]


@pytest.mark.parametrize("name", queries.TABLES)
def test_columns_that_only_programs_compare_come_last(lake, name):
    write_run(lake, 1, [label_row("a")])
    columns = queries.TABLES[name](lake.root).collect_schema().names()
    ids = [column for column in IDS if column in columns]
    assert columns[len(columns) - len(ids) :] == ids


def test_labels_and_failures_have_all_columns_of_the_contract(lake):
    write_run(lake, 1, [label_row("a")])
    columns = {*queries.labels(lake.root).collect_schema(), *queries.failures(lake.root).collect_schema()}
    assert columns == {*Labels.column_names(), *FROM_RUN, *FROM_INDEX, *FROM_DECISIONS}
    assert set(queries.runs(lake.root).collect_schema()) == set(Runs.column_names())


def test_the_least_sure_labels_come_first_by_their_lead_over_the_second_class(lake):
    one_class = label_row("d", probability=0.4) | {"tags": [{"label": "cat", "probability": 0.4}]}
    rows = [label_row("a", probability=0.9), label_row("b", probability=0.5), label_row("c", probability=0.6)]
    write_run(lake, 1, [*rows, one_class, label_row("e", failure="empty")])
    unsure = queries.unsure(lake.root).collect()
    assert unsure["image_id"].to_list() == ["b", "c", "d", "a"]
    assert unsure["lead"].round(6).to_list() == pytest.approx([0, 0.2, 0.4, 0.8])


def test_an_image_that_abstained_is_none_of_these_and_accepted_is_what_is_over_its_threshold(lake):
    rows = [
        calibrated_row("a", {"cat": 2.5, "dog": 2.0}),
        calibrated_row("b", {}),
        calibrated_row("c", {"dog": 2.0}),
        label_row("d"),
    ]
    write_run(lake, 1, rows, calibration="d" * 16)

    def shown(**which: object) -> list[tuple[object, ...]]:
        return queries.labels(lake.root, **which).select("image_id", "label", "probability").collect().rows()

    assert shown() == [
        ("a", "cat", 0.75),
        ("b", "none of these", None),
        ("c", "cat", 0.75),
        ("d", "cat", 0.75),
    ]
    assert shown(also_abstained=True)[1] == ("b", "cat", 0.75)
    assert shown(accepted=True) == [("a", "cat", 0.75)]
    assert shown(label="none of these") == [("b", "none of these", None)]
    assert [image for image, *_ in shown(label="cat")] == ["a", "c", "d"]
    assert queries.unsure(lake.root).collect()["image_id"].to_list()[-1] == "b"
    counts = queries.summary(lake.root).select("label", "images").collect()
    assert counts.rows() == [("cat", 3), ("none of these", 1)]

    def tagged(**which: object) -> list[tuple[object, ...]]:
        columns = ("image_id", "label", "rank", "standard_score", "probability")
        return queries.tags(lake.root, **which).select(columns).collect().rows()

    assert tagged(label="cat") == [
        ("a", "cat", 1, 2.5, 0.75),
        ("c", "cat", 1, 2.5, 0.75),
        ("d", "cat", 1, None, 0.75),
    ]
    assert len(tagged(also_abstained=True)) == 8
    assert tagged(accepted=True) == [
        ("a", "cat", 1, 2.5, 0.75),
        ("a", "dog", None, 2.0, None),
        ("c", "dog", None, 2.0, None),
    ]
    assert queries.runs(lake.root).collect()["calibration"].to_list() == ["d" * 16]


def test_a_decision_counts_whatever_a_calibration_has_accepted(lake):
    write_run(lake, 1, [calibrated_row("a", {}), calibrated_row("b", {"cat": 2.5})], calibration="d" * 16)
    decide(lake, "a", "dog")
    decide(lake, "b", "dog")
    for which in ({}, {"accepted": True}):
        assert queries.labels(lake.root, **which).collect()["label"].to_list() == ["dog", "dog"]
        found = (
            queries.tags(lake.root, **which).select("image_id", "label", "standard_score").collect().rows()
        )
        assert found == [("a", "dog", None), ("b", "dog", None)]

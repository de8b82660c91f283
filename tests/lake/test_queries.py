"""What queries return from lakes whose runs are known."""

from datetime import timedelta

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import InputError
from laketag.pipeline.lake import queries
from laketag.pipeline.lake.paths import open_lake
from laketag.schemas import Labels
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
    assert tags.select("image_id", "tag", "rank").rows() == [
        ("a", "cat", 1),
        ("c", "dog", 1),
        ("d", "dog", 1),
    ]
    answer = queries.sql(
        store.root, "SELECT count(*) AS n FROM labels WHERE label = 'dog'", storage=store.storage
    )
    assert answer.collect().item() == 2


OUTCOMES = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(["cat", "dog", None]), max_size=6)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(OUTCOMES, st.sampled_from(["f1", "f2"]), st.booleans()), min_size=1, max_size=5))
def test_labels_and_failures_are_every_image_exactly_once(tmp_path_factory, runs):
    """Against a plain loop: of the newest committed run's classifier, the last outcome of each image."""
    lake = open_lake(str(tmp_path_factory.mktemp("lake")), StorageSettings())
    for number, (outcomes, classifier, committed) in enumerate(runs, 1):
        rows = [
            label_row(image, label=label) if label else label_row(image, failure="empty")
            for image, label in outcomes.items()
        ]
        write_run(lake, number, rows, classifier=classifier, committed=committed)
    committed_runs = [(outcomes, classifier) for outcomes, classifier, committed in runs if committed]
    expected: dict[str, str | None] = {}
    for outcomes, classifier in committed_runs:
        if classifier == committed_runs[-1][1]:
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
    frame = queries.labels(lake.root, run=first).sort("image_id").collect()
    assert frame.select("image_id", "label").rows() == [("a", "cat"), ("b", "cat")]


def test_each_collection_and_set_has_its_own_newest_classifier(lake):
    write_run(lake, 1, [label_row("a")], classifier="f1", description_set="animals")
    write_run(lake, 2, [label_row("a", label="tree")], classifier="f2", description_set="plants")
    write_run(lake, 3, [label_row("a", label="dog")], classifier="f1", collection="scans")
    rows = (
        queries.labels(lake.root)
        .select(*queries.FROM_RUNS, "label")
        .collect()
        .sort("classifier", "label")
        .rows()
    )
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
    assert ids(queries.failures(lake.root, reason="timeout")) == ["e"]
    assert queries.tags(lake.root, label="other").collect()["rank"].unique().to_list() == [2]
    assert queries.runs(lake.root, since=EPOCH + timedelta(days=2)).collect().is_empty()


def test_an_unknown_filter_is_a_mistake_and_not_ignored(lake):
    with pytest.raises(TypeError, match="no filter colection; choose from classifier, collection"):
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


@pytest.mark.parametrize("committed", [True, False])
def test_a_lake_without_rows_answers_every_query_with_the_same_columns(lake, tmp_path_factory, committed):
    full = open_lake(str(tmp_path_factory.mktemp("full")), StorageSettings())
    write_run(full, 1, [label_row("a")])
    if committed:
        write_run(lake, 1, [])
    for table in queries.TABLES.values():
        empty = table(lake.root).collect()
        assert empty.schema == table(full.root).collect().schema, table.__name__
        assert table is queries.runs or empty.is_empty()
    assert queries.sql(lake.root, "SELECT label, count(*) FROM labels GROUP BY label").collect().is_empty()


def test_label_columns_are_those_of_the_contract_and_of_the_run(lake):
    write_run(lake, 1, [label_row("a")])
    columns = queries.labels(lake.root).collect_schema().names()
    contract = [name for name in Labels.column_names() if name not in queries.FAILURE_COLUMNS]
    assert columns == [*queries.FROM_RUNS, *contract]


@pytest.mark.parametrize(
    "query",
    [
        "SELEC 1",
        "SELECT nothing FROM labels",
        "SELECT * FROM images",
        "SELECT label FROM labels WHERE",
        "",
        "DROP TABLE x",
    ],
)
def test_wrong_sql_is_answered_with_the_tables_and_their_columns(lake, query):
    write_run(lake, 1, [label_row("a")])
    with pytest.raises(InputError) as error:
        queries.sql(lake.root, query)
    assert "labels: collection, description_set, classifier, image_id, uri" in str(error.value)
    assert "summary: " in str(error.value)


def test_sql_may_join_the_tables(lake):
    run_id = write_run(lake, 1, [label_row("a"), label_row("b", failure="empty")])
    query = """
        SELECT l.image_id, t.tag, r.run_id FROM labels l
        JOIN tags t ON l.image_id = t.image_id JOIN runs r ON l.run_id = r.run_id
        WHERE t.rank = 1
    """
    assert queries.sql(lake.root, query).collect().rows() == [("a", "cat", run_id)]

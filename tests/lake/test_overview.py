from laketag.pipeline.lake.overview import find_collections, find_sets
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.runs import read_runs
from tests.lake.full_lakes import freeze_night, label_night
from tests.lake.run_rows import RUN


def test_collections_count_the_images_of_the_newest_index_and_those_done_after_the_newest_run(
    lake: Lake,
) -> None:
    label_night(lake, {"a": "1", "b": "1"}, failed="b")
    unfinished = freeze_night(lake, {"a": "1", "b": "1", "c": "1"})
    (row,) = find_collections(lake).rows(named=True)
    (run,) = read_runs(lake)["run_id"]
    assert (row["collection"], row["images"], row["snapshots"]) == (RUN.collection, 3, 2)
    assert (row["newest_run"], row["runs"], row["classifiers"], row["done"]) == (run, 1, 1, 2)
    assert row["sets"] == [RUN.description_set]
    assert row["unfinished_runs"] == [{"run_id": unfinished.run_id, "description_set": RUN.description_set}]
    assert row["is_up_to_date"] is False
    assert row["index_bytes"] > 0
    assert row["label_bytes"] > 0


def test_a_run_over_the_whole_newest_index_is_up_to_date(lake: Lake) -> None:
    label_night(lake, {"a": "1"})
    (row,) = find_collections(lake).rows(named=True)
    assert (row["is_up_to_date"], row["unfinished_runs"]) == (True, [])


def test_sets_count_classes_and_texts_and_name_the_collections_that_they_label(lake: Lake) -> None:
    label_night(lake, {"a": "1"})
    (row,) = find_sets(lake).rows(named=True)
    assert (row["description_set"], row["collections"]) == (RUN.description_set, [RUN.collection])
    assert (row["classes"], row["texts"], row["dropped"], row["versions"]) == (2, 3, 1, 1)
    assert row["bytes"] > 0


def test_an_empty_lake_has_neither(lake: Lake) -> None:
    assert find_collections(lake).is_empty()
    assert find_sets(lake).is_empty()

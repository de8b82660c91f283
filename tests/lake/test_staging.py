from pathlib import Path

from laketag.pipeline.lake.staging import (
    find_others,
    find_unfinished,
    list_parts,
    remove_leftovers,
    run_suffix,
    scan_parts,
    scan_plan,
    write_part,
)
from tests.lake.label_rows import label_frame, label_row
from tests.lake.run_rows import RUN, freeze_run

FIRST, SECOND = (f"2026010{day}T000000.000000Z{run_suffix(RUN.collection, RUN.classifier)}" for day in (1, 2))


def test_unfinished_runs_are_found_as_they_were_frozen_the_oldest_first(lake) -> None:
    run = freeze_run(lake, "ba", FIRST, rows_per_file=7)
    second = freeze_run(lake, "c", SECOND)
    assert find_unfinished(lake, RUN.collection, RUN.classifier, []) == [run, second]
    assert scan_plan(lake, FIRST).collect()["image_id"].to_list() == ["b", "a"]
    assert find_unfinished(lake, RUN.collection, "beef", []) == []


def test_what_a_finished_run_left_is_removed(lake) -> None:
    freeze_run(lake, "a", FIRST)
    second = freeze_run(lake, "a", SECOND)
    assert find_unfinished(lake, RUN.collection, RUN.classifier, [FIRST]) == [second]
    remove_leftovers(lake, RUN.collection, RUN.classifier, [FIRST])
    assert not Path(lake.staging(FIRST)).exists()
    assert Path(lake.staging(SECOND)).exists()


def test_a_plan_that_was_never_frozen_is_removed(lake) -> None:
    freeze_run(lake, "a", FIRST)
    (Path(lake.staging(FIRST)) / "run.json").unlink()
    assert find_unfinished(lake, RUN.collection, RUN.classifier, []) == []
    remove_leftovers(lake, RUN.collection, RUN.classifier, [])
    assert not Path(lake.staging(FIRST)).exists()


def test_a_repeated_task_stages_no_row_twice(lake) -> None:
    for age_s in (5, 0):
        write_part(lake, "r", label_frame([label_row(name, age_s=age_s) for name in "ab"]))
    assert len(list_parts(lake, "r")) == 1
    write_part(lake, "r", label_frame([label_row("a", failure="timeout")]))
    assert scan_parts(lake, "r").collect()["image_id"].sort().to_list() == ["a", "a", "b"]


def test_unfinished_runs_of_other_classifiers_of_the_collection_are_found(lake) -> None:
    freeze_run(lake, "a", f"20260101T000000.000000Z{run_suffix(RUN.collection, RUN.classifier)}")
    other = freeze_run(lake, "a", f"20260102T000000.000000Z{run_suffix(RUN.collection, 'beef')}")
    finished = freeze_run(lake, "a", f"20260103T000000.000000Z{run_suffix(RUN.collection, 'cafe')}")
    assert find_others(lake, RUN.collection, RUN.classifier, [finished.run_id]) == [other.run_id]
    assert find_others(lake, "scans", RUN.classifier, []) == []

"""Publication, disturbed: whatever is killed, stands still or writes late, each planned image is published once."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import BusyError, LedgerError
from laketag.pipeline.lake.lease import hold_lease
from laketag.pipeline.lake.paths import TABLES, Lake, open_lake
from laketag.pipeline.lake.publish import Cut, Published, publish
from laketag.pipeline.lake.runs import label_files, read_runs, scan_labels, select_runs_of
from laketag.pipeline.lake.staging import Run, find_failures, find_unfinished, run_suffix, write_part
from laketag.pipeline.store.files import remove_file
from laketag.pipeline.store.folders import list_files, list_folders, remove_folder
from laketag.schemas import FAILURES, Labels
from tests.lake.disturbed import Disturbed
from tests.lake.label_rows import label_frame, label_row
from tests.lake.run_rows import RUN, freeze_run

RUN_ID = f"20260101T000000.000000Z{run_suffix(RUN.collection, RUN.classifier)}"

NOTHING = Labels.create_empty().select("image_id", "etag", "labelled_at")


def stage(lake: Lake, ids: str) -> Run:
    """A run over images with these ids has staged a label for each; each will have a file of its own."""
    run = freeze_run(lake, ids, RUN_ID, rows_per_file=1)
    write_part(lake, run.run_id, label_frame([label_row(image_id, run_id=RUN_ID) for image_id in ids]))
    return run


def finish(lake: Lake, run: Run) -> Published:
    with hold_lease(lake, "x") as lease:
        published = publish(lake, run, lease)
    assert published
    return published


def finish_disturbed(lake: Lake, run: Run, check: int, happens: Callable[[], object]) -> Published:
    with hold_lease(lake, "x") as lease:
        published = publish(lake, run, Disturbed(lease, check, happens))
    assert published
    return published


def finish_cut(lake: Lake, run: Run, failed_before: pl.DataFrame = NOTHING) -> Published | None:
    with hold_lease(lake, "x") as lease:
        return publish(lake, run, lease, cut=Cut(failed_before))


def published_ids(lake: Lake) -> list[str]:
    """What a glob over the label table reads, without the table of runs."""
    files = list_files(lake.path("labels"), lake.storage)
    return [image_id for file in files for image_id in pl.read_parquet(file)["image_id"]]


def test_a_run_that_lacks_a_row_publishes_nothing(lake) -> None:
    run = freeze_run(lake, "ab")
    write_part(lake, run.run_id, label_frame([label_row("a")]))
    with pytest.raises(LedgerError, match=r"1 without a result \(b\)"):
        finish(lake, run)
    assert read_runs(lake).is_empty()
    assert list_files(lake.path("labels"), lake.storage) == []


def test_a_published_run_leaves_no_staging_and_only_folders_that_are_on_the_list(lake) -> None:
    finish(lake, stage(lake, "a"))
    assert set(list_folders(lake.path("staging"), lake.storage)) <= {"leases"}
    assert set(list_folders(lake.root, lake.storage)) <= set(TABLES)
    (row,) = read_runs(lake).iter_rows(named=True)
    assert (row["run_id"], row["planned"], row["labelled"], row["started_at"].isoformat()) == (
        RUN_ID, 1, 1, RUN.started_at,
    )  # fmt: skip


def test_a_run_that_another_process_committed_is_not_committed_twice(lake) -> None:
    run = stage(lake, "a")
    kept = {Path(url): Path(url).read_bytes() for url in list_files(lake.staging(run.run_id), lake.storage)}
    finish(lake, run)
    for file, data in kept.items():  # the second process still sees the staged parts
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    with pytest.raises(BusyError, match="finished by another process"):
        finish(lake, run)
    assert read_runs(lake).height == 1


def test_a_run_that_is_cut_is_published_with_what_is_done_and_leaves_the_rest(lake) -> None:
    run = freeze_run(lake, "abcd", RUN_ID, rows_per_file=1)
    assert finish_cut(lake, run) is None  # nothing is done
    write_part(lake, run.run_id, label_frame([label_row("a"), label_row("c", failure="timeout")]))
    published = finish_cut(lake, run)
    assert published
    assert (published.run.planned, published.run.left) == (2, 2)
    assert (published.ledger.labelled, published.ledger.failures) == (1, {"timeout": 1})
    assert published_ids(lake) == ["a", "c"]
    assert find_unfinished(lake, RUN.collection, RUN.classifier, read_runs(lake)["run_id"]) == []


def test_what_failed_before_a_call_that_is_cut_is_left_unless_the_call_has_tried_it_again(lake) -> None:
    run = freeze_run(lake, "abcd", RUN_ID)
    earlier = [label_row(image_id, failure="forbidden", age_s=60) for image_id in "abc"]
    write_part(lake, run.run_id, label_frame([*earlier, label_row("d", age_s=60)]))
    failed_before = find_failures(lake, run.run_id)
    write_part(lake, run.run_id, label_frame([label_row("a"), label_row("b", failure="forbidden")]))
    published = finish_cut(lake, run, failed_before)
    assert published
    assert (published.run.planned, published.run.left) == (3, 1)
    assert (published.ledger.labelled, published.ledger.failures) == (2, {"forbidden": 1})
    assert published_ids(lake) == ["a", "b", "d"]


def test_a_cut_publication_that_was_killed_leaves_no_file_beside_those_of_the_whole_run(lake) -> None:
    run = freeze_run(lake, "abcd", RUN_ID, rows_per_file=1)
    write_part(lake, run.run_id, label_frame([label_row("b"), label_row("c")]))

    def die() -> None:
        raise KeyboardInterrupt

    with hold_lease(lake, "x") as lease, pytest.raises(KeyboardInterrupt):
        publish(lake, run, Disturbed(lease, 4, die), cut=Cut(NOTHING))
    assert published_ids(lake) == ["b", "c"]
    (unfinished,) = find_unfinished(lake, RUN.collection, RUN.classifier, [])
    assert unfinished == run  # the frozen plan is as before
    write_part(lake, run.run_id, label_frame([label_row("a"), label_row("d")]))
    finish(lake, unfinished)
    assert published_ids(lake) == ["a", "b", "c", "d"]


# the first check, those before each of the three files, and the last one
@pytest.mark.parametrize("check", range(1, 6))
def test_a_process_that_stood_still_does_not_touch_what_another_published(lake, check) -> None:
    run = stage(lake, "abc")

    def another_takes_over() -> None:
        remove_file(lake.path("staging", "leases", "x.json"), lake.storage)
        finish(lake, run)

    with pytest.raises(BusyError, match=r"(taken over|finished) by another process"):
        finish_disturbed(lake, run, check, another_takes_over)
    assert scan_labels(lake, read_runs(lake)).collect()["image_id"].to_list() == ["a", "b", "c"]
    assert published_ids(lake) == ["a", "b", "c"]


# the first check, that before the file, and the last one
@pytest.mark.parametrize("check", range(1, 4))
def test_a_cut_publication_that_stood_still_does_not_touch_the_whole_run_of_another(lake, check) -> None:
    run = freeze_run(lake, "abcd", RUN_ID)
    write_part(lake, run.run_id, label_frame([label_row("b"), label_row("c")]))

    def another_takes_over() -> None:
        remove_file(lake.path("staging", "leases", "x.json"), lake.storage)
        write_part(lake, run.run_id, label_frame([label_row("a"), label_row("d")]))
        finish(lake, run)

    with hold_lease(lake, "x") as lease, pytest.raises(BusyError):
        publish(lake, run, Disturbed(lease, check, another_takes_over), cut=Cut(NOTHING))
    assert read_runs(lake)["labelled"].to_list() == [4]
    assert published_ids(lake) == ["a", "b", "c", "d"]


@pytest.mark.parametrize("check", range(1, 6))
def test_a_run_killed_while_publishing_and_finished_later_has_each_row_once(lake, check) -> None:
    run = stage(lake, "abc")

    def die() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        finish_disturbed(lake, run, check, die)
    (unfinished,) = find_unfinished(lake, RUN.collection, RUN.classifier, [])
    assert unfinished == run  # with its rows_per_file, whatever the settings are now
    finish(lake, unfinished)
    assert published_ids(lake) == ["a", "b", "c"]


def test_a_run_over_a_part_of_what_is_pending_is_published_as_any_other(lake) -> None:
    run = replace(stage(lake, "ab"), index_rows=10, already_done=3, left=5)
    assert finish(lake, run).run.left == 5
    (row,) = read_runs(lake).iter_rows(named=True)
    assert (row["index_rows"], row["already_done"], row["planned"], row["labelled"]) == (10, 3, 2, 2)
    with pytest.raises(LedgerError, match="does not balance"):
        finish(lake, replace(stage(lake, "ab"), index_rows=10, already_done=3, left=4))


@pytest.mark.parametrize("check", range(1, 5))
def test_counts_and_rows_are_of_the_same_parts_whatever_is_staged_meanwhile(lake, check) -> None:
    run = freeze_run(lake, "ab", rows_per_file=1)
    write_part(lake, run.run_id, label_frame([label_row("a"), label_row("b", failure="timeout")]))

    def a_late_task_labels_it() -> None:
        write_part(lake, run.run_id, label_frame([label_row("b")]))

    ledger = finish_disturbed(lake, run, check, a_late_task_labels_it).ledger
    rows = scan_labels(lake, read_runs(lake)).collect()
    assert (ledger.labelled, run.planned) == (rows["label"].count(), rows.height)
    assert read_runs(lake)["labelled"].to_list() == [ledger.labelled]


def test_a_process_that_lost_its_lease_before_publishing_reports_that(lake) -> None:
    run = stage(lake, "a")
    with hold_lease(lake, "x") as lease:
        Path(lease.url).write_bytes(Path(lease.url).read_bytes().replace(lease.writer.encode(), b"another"))
        remove_folder(lake.staging(run.run_id), lake.storage)
        with pytest.raises(BusyError, match="taken over by another process"):
            publish(lake, run, lease)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    outcomes=st.lists(
        st.lists(st.sampled_from([None, *FAILURES]), min_size=1, max_size=3), min_size=1, max_size=12
    ),
    rows_per_file=st.integers(1, 13),
)
def test_each_planned_image_is_published_once_sorted_and_the_ledger_balances(
    tmp_path_factory, outcomes, rows_per_file
) -> None:
    """Each image is tried once or more: a label wins over failures, then the newest failure counts."""
    lake = open_lake(str(tmp_path_factory.mktemp("lake")), StorageSettings())
    ids = [f"{7919 * number % 1000:03}" for number in range(len(outcomes))]
    run = freeze_run(lake, ids, rows_per_file=rows_per_file)
    for image_id, tries in zip(ids, outcomes, strict=True):
        for age_s, failure in reversed(list(enumerate(tries))):  # written in the order of time
            write_part(lake, run.run_id, label_frame([label_row(image_id, failure=failure, age_s=age_s)]))
    expected = {i: None if None in tries else tries[0] for i, tries in zip(ids, outcomes, strict=True)}
    ledger = finish(lake, run).ledger
    runs = select_runs_of(read_runs(lake), RUN.collection, RUN.classifier)
    files = label_files(lake, runs)
    labels = scan_labels(lake, runs).collect()
    assert labels["image_id"].to_list() == sorted(ids)
    assert dict(labels.select("image_id", "failure").iter_rows()) == expected
    assert run.planned == ledger.labelled + sum(ledger.failures.values())
    assert ledger.labelled == sum(failure is None for failure in expected.values())
    assert len(files) == -(-len(ids) // rows_per_file)
    assert all(pl.read_parquet(url)["image_id"].is_sorted() for url in files)

"""Plan, staging, ledger and publication, together: what is counted, what is seen, what is repeated."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import BusyError, LedgerError, StorageError
from laketag.pipeline.lake.lease import Lease, hold_lease
from laketag.pipeline.lake.ledger import balance
from laketag.pipeline.lake.paths import Lake, open_lake, timestamp
from laketag.pipeline.lake.plan import find_pending
from laketag.pipeline.lake.publish import Published, publish
from laketag.pipeline.lake.runs import label_files, read_runs, scan_labels
from laketag.pipeline.lake.snapshots import write_snapshot
from laketag.pipeline.lake.staging import (
    Run,
    find_unfinished,
    freeze_plan,
    list_parts,
    run_suffix,
    write_part,
)
from laketag.pipeline.store.files import remove_file
from laketag.pipeline.store.folders import list_files, list_folders, remove_folder
from laketag.schemas import FAILURES, PERMANENT_FAILURES
from tests.lake.label_rows import index_rows, label_frame, label_row

C, F = "photos", "f00d"


@pytest.fixture
def lake(tmp_path) -> Lake:
    return open_lake(str(tmp_path), StorageSettings())


def plan(lake: Lake, rows: pl.DataFrame, rows_per_file: int = 100) -> Run:
    pending = find_pending(lake, write_snapshot(lake, C, [rows]), C, F)
    run = Run(
        run_id=timestamp() + run_suffix(C, F),
        collection=C,
        snapshot="s",
        classifier=F,
        description_set="d",
        description_version="v",
        method="abs",
        index_rows=pending.index_rows,
        already_done=pending.index_rows - pending.rows.height,
        planned=pending.rows.height,
        rows_per_file=rows_per_file,
        settings="{}",
        models="{}",
        started_at=datetime.now(UTC).isoformat(),
    )
    freeze_plan(lake, run, pending.rows)
    return run


def finish(lake: Lake, run: Run) -> Published:
    with hold_lease(lake, "x") as lease:
        return publish(lake, run, lease, images_per_s=1.0)


class Disturbed(Lease):
    """A held lease whose holder sees something happen right after one of its checks."""

    def __init__(self, lease: Lease, check: int, happens: Callable[[], object]) -> None:
        super().__init__(lease.url, lease.writer, lease.lake)
        self.checks_left, self.happens = check, happens

    def check(self) -> None:
        super().check()
        self.checks_left -= 1
        if self.checks_left == 0:
            self.happens()


def finish_disturbed(lake: Lake, run: Run, check: int, happens: Callable[[], object]) -> Published:
    with hold_lease(lake, "x") as lease:
        return publish(lake, run, Disturbed(lease, check, happens), images_per_s=1.0)


def label_all(lake: Lake, run: Run, rows: list[dict[str, object]]) -> Published:
    write_part(lake, run.run_id, label_frame([row | {"run_id": run.run_id} for row in rows]))
    return finish(lake, run)


def all_label_rows(lake: Lake) -> pl.DataFrame:
    """What a glob over the label table reads."""
    return pl.concat(map(pl.read_parquet, list_files(lake.path("labels"), lake.storage)))


def pending_ids(lake: Lake, rows: pl.DataFrame, *retry: str) -> set[str]:
    return set(find_pending(lake, write_snapshot(lake, C, [rows]), C, F, retry).rows["image_id"])


def test_what_was_labelled_is_not_planned_again(lake) -> None:
    run = plan(lake, index_rows(["a", "b"]))
    label_all(lake, run, [label_row("a"), label_row("b")])
    assert pending_ids(lake, index_rows(["a", "b"])) == set()
    assert pending_ids(lake, index_rows(["a", "b", "c"])) == {"c"}
    assert pending_ids(lake, index_rows(["a", "b"], etag="v2")) == {"a", "b"}


def test_a_version_that_comes_back_is_labelled_again_as_another_row_is_newer(lake) -> None:
    label_all(lake, plan(lake, index_rows(["a"])), [label_row("a")])
    label_all(
        lake, plan(lake, index_rows(["a"], etag="v2")), [label_row("a", etag="v2", failure="truncated")]
    )
    assert pending_ids(lake, index_rows(["a"], etag="v2")) == set()
    assert pending_ids(lake, index_rows(["a"])) == {"a"}


def test_permanent_failures_are_counted_and_tried_again_when_asked(lake) -> None:
    rows = index_rows(["a", "b", "c", "d"])
    failed = [
        label_row("a", failure="too_large"),
        label_row("b", failure="empty"),
        label_row("c", failure="empty"),
    ]
    label_all(lake, plan(lake, rows), [*failed, label_row("d")])
    assert pending_ids(lake, rows) == set()
    assert pending_ids(lake, rows, "empty") == {"b", "c"}
    found = find_pending(lake, write_snapshot(lake, C, [rows.head(3)]), C, F, ["too_large"])
    assert (found.rows["image_id"].to_list(), found.failed) == (["a"], {"empty": 2})


@pytest.mark.parametrize("reason", FAILURES)
def test_a_transient_failure_is_planned_again_and_a_permanent_one_only_when_the_image_changes(
    lake, reason
) -> None:
    label_all(lake, plan(lake, index_rows(["a"])), [label_row("a", failure=reason)])
    assert pending_ids(lake, index_rows(["a"])) == (set() if reason in PERMANENT_FAILURES else {"a"})
    assert pending_ids(lake, index_rows(["a"], etag="v2")) == {"a"}


def test_another_classifier_has_everything_to_do(lake) -> None:
    label_all(lake, plan(lake, index_rows(["a"])), [label_row("a")])
    snapshot = write_snapshot(lake, C, [index_rows(["a"])])
    assert find_pending(lake, snapshot, C, "beef").rows.height == 1


def test_a_run_that_lacks_a_row_publishes_nothing_and_names_it(lake) -> None:
    run = plan(lake, index_rows(["a", "b"]))
    write_part(lake, run.run_id, label_frame([label_row("a")]))
    with pytest.raises(LedgerError, match=r"1 without a result \(b\)"):
        finish(lake, run)
    assert read_runs(lake).is_empty()
    assert list_files(lake.path("labels"), lake.storage) == []


def test_a_row_that_was_never_planned_publishes_nothing_and_is_named(lake) -> None:
    run = plan(lake, index_rows(["a"]))
    write_part(lake, run.run_id, label_frame([label_row("a"), label_row("zebra")]))
    with pytest.raises(LedgerError, match=r"1 never planned \(zebra\)"):
        finish(lake, run)


def test_an_unpublished_run_is_found_again_and_a_published_one_is_not(lake) -> None:
    run = plan(lake, index_rows(["a"]))
    assert find_unfinished(lake, C, F, []) == run
    assert find_unfinished(lake, C, "beef", []) is None
    label_all(lake, run, [label_row("a")])
    assert find_unfinished(lake, C, F, read_runs(lake)["run_id"]) is None
    assert list_folders(lake.path("staging"), lake.storage) in ([], ["leases"])


def test_a_plan_that_was_never_frozen_is_forgotten(lake) -> None:
    run = plan(lake, index_rows(["a"]))
    (Path(lake.staging(run.run_id)) / "run.json").unlink()
    assert find_unfinished(lake, C, F, []) is None


def test_a_run_that_another_process_committed_is_not_committed_twice(lake) -> None:
    run = plan(lake, index_rows(["a"]))
    write_part(lake, run.run_id, label_frame([label_row("a")]))
    kept = {Path(url): Path(url).read_bytes() for url in list_files(lake.staging(run.run_id), lake.storage)}
    finish(lake, run)
    for file, data in kept.items():  # the other process still sees the staging of before
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    with pytest.raises(BusyError, match="finished by another process"):
        finish(lake, run)
    assert read_runs(lake).height == 1


# the first check, those before each of the three files, and the last one
@pytest.mark.parametrize("check", range(1, 6))
def test_a_process_that_stood_still_does_not_touch_what_another_published(lake, check) -> None:
    run = plan(lake, index_rows(["a", "b", "c"]), rows_per_file=1)
    write_part(lake, run.run_id, label_frame([label_row(image_id, run_id=run.run_id) for image_id in "abc"]))

    def another_takes_over() -> None:
        remove_file(lake.path("staging", "leases", "x.json"), lake.storage)
        finish(lake, run)

    with pytest.raises(BusyError, match=r"(taken over|finished) by another process"):
        finish_disturbed(lake, run, check, another_takes_over)
    assert scan_labels(lake, read_runs(lake)).collect()["image_id"].to_list() == ["a", "b", "c"]
    assert all_label_rows(lake)["image_id"].to_list() == ["a", "b", "c"]


@pytest.mark.parametrize("check", range(1, 6))
def test_a_run_killed_while_publishing_and_finished_later_has_each_row_once(lake, check) -> None:
    """Also for those who read all files, without the table of runs."""
    planned = plan(lake, index_rows(["a", "b", "c"]), rows_per_file=1)
    write_part(
        lake, planned.run_id, label_frame([label_row(image_id, run_id=planned.run_id) for image_id in "abc"])
    )

    def die() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        finish_disturbed(lake, planned, check, die)
    unfinished = find_unfinished(lake, C, F, [])
    assert unfinished == planned  # with its rows_per_file, whatever the settings say now
    finish(lake, unfinished)
    assert all_label_rows(lake)["image_id"].to_list() == ["a", "b", "c"]


@pytest.mark.parametrize("check", range(1, 5))
def test_counts_and_rows_are_of_the_same_parts_whatever_is_staged_meanwhile(lake, check) -> None:
    run = plan(lake, index_rows(["a", "b"]), rows_per_file=1)
    failed = label_row("b", failure="timeout", run_id=run.run_id)
    write_part(lake, run.run_id, label_frame([label_row("a", run_id=run.run_id), failed]))

    def a_late_writer_labels_it() -> None:
        write_part(lake, run.run_id, label_frame([label_row("b", run_id=run.run_id)]))

    ledger = finish_disturbed(lake, run, check, a_late_writer_labels_it).ledger
    rows = scan_labels(lake, read_runs(lake)).collect()
    assert (ledger.labelled, run.planned) == (rows["label"].count(), rows.height)
    assert read_runs(lake)["labelled"].to_list() == [ledger.labelled]


def test_a_process_that_lost_its_lease_before_publishing_is_told_so(lake) -> None:
    run = plan(lake, index_rows(["a"]))
    write_part(lake, run.run_id, label_frame([label_row("a", run_id=run.run_id)]))
    with hold_lease(lake, "x") as lease:
        Path(lease.url).write_bytes(Path(lease.url).read_bytes().replace(lease.writer.encode(), b"another"))
        remove_folder(lake.staging(run.run_id), lake.storage)
        with pytest.raises(BusyError, match="taken over by another process"):
            publish(lake, run, lease, images_per_s=1.0)


def test_a_label_file_that_is_missing_is_named_when_planning(lake) -> None:
    rows = index_rows(["a", "b"])
    label_all(lake, plan(lake, rows.head(1)), [label_row("a")])
    label_all(lake, plan(lake, rows), [label_row("b")])
    Path(label_files(lake, read_runs(lake))[1]).unlink()
    with pytest.raises(StorageError, match="does not exist"):
        pending_ids(lake, rows)


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
    """Each image is tried once or more; a label wins over failures, then the newest failure counts."""
    lake = open_lake(str(tmp_path_factory.mktemp("lake")), StorageSettings())
    ids = [f"{7919 * number % 1000:03}" for number in range(len(outcomes))]
    run = plan(lake, index_rows(ids), rows_per_file)
    for image_id, tries in zip(ids, outcomes, strict=True):
        for age, failure in reversed(list(enumerate(tries))):  # written in the order of time
            write_part(lake, run.run_id, label_frame([label_row(image_id, failure=failure, age_s=age)]))
    expected = {i: None if None in tries else tries[0] for i, tries in zip(ids, outcomes, strict=True)}
    published = finish(lake, run)
    runs = read_runs(lake, C, F)
    files = label_files(lake, runs)
    labels = scan_labels(lake, runs).collect()
    assert labels["image_id"].to_list() == sorted(ids)
    assert dict(labels.select("image_id", "failure").iter_rows()) == expected
    assert run.planned == published.ledger.labelled + sum(published.ledger.failures.values())
    assert published.ledger.labelled == sum(failure is None for failure in expected.values())
    assert len(files) == -(-len(ids) // rows_per_file)
    assert all(pl.read_parquet(url)["image_id"].is_sorted() for url in files)


def test_balance_counts_failures_by_reason(lake) -> None:
    run = plan(lake, index_rows(["a", "b", "c", "d"]))
    rows = [
        label_row("a"),
        label_row("b", failure="empty"),
        label_row("c", failure="empty"),
        label_row("d", failure="timeout"),
    ]
    write_part(lake, run.run_id, label_frame(rows))
    assert balance(lake, run, list_parts(lake, run.run_id)).failures == {"empty": 2, "timeout": 1}

"""Rewriting the table of runs, disturbed: it has the rows of before or those of after, whatever is killed or comes second."""

from collections.abc import Callable

import polars as pl
import pytest
from fsspec.implementations.local import LocalFileSystem

from laketag.pipeline.errors import BusyError
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.run_folds import rewrite_runs
from laketag.pipeline.lake.runs import RunTable, read_run_table, read_runs
from laketag.pipeline.store.folders import list_files
from tests.lake.disturbed import before_each_change
from tests.lake.label_rows import label_row
from tests.lake.run_rows import write_run


def files_of_runs(lake: Lake) -> list[str]:
    return [url.rpartition("/")[2] for url in list_files(lake.path("runs"), lake.storage)]


def changed(table: RunTable) -> pl.DataFrame:
    return table.rows.with_columns(images_per_s=pl.lit(99.0))


def without_oldest(table: RunTable) -> pl.DataFrame:
    return table.rows.slice(1)


def test_folded_runs_are_the_same_rows_in_one_file_and_new_runs_join_them(lake) -> None:
    for number in (1, 2, 3):
        write_run(lake, number, [label_row("a")])
    before = read_runs(lake)
    rewrite_runs(lake, read_run_table(lake), before)
    assert files_of_runs(lake) == ["fold-000001.parquet"]
    assert read_runs(lake).equals(before)
    newest = write_run(lake, 4, [label_row("a")])
    assert read_runs(lake)["run_id"].to_list() == [*before["run_id"], newest]
    rewrite_runs(lake, table := read_run_table(lake), table.rows)
    assert files_of_runs(lake) == ["fold-000002.parquet"]
    assert read_runs(lake)["run_id"].to_list() == [*before["run_id"], newest]


def test_of_two_processes_that_rewrite_the_same_rows_the_second_is_refused(lake) -> None:
    write_run(lake, 1, [label_row("a")])
    table = read_run_table(lake)
    rewrite_runs(lake, table, changed(table))
    with pytest.raises(BusyError, match=r"fold-000001.*another process"):
        rewrite_runs(lake, table, without_oldest(table))
    assert read_runs(lake)["images_per_s"].to_list() == [99.0]


def test_a_process_that_comes_after_two_others_is_refused_although_the_number_of_its_fold_is_free_again(
    lake,
) -> None:
    write_run(lake, 1, [label_row("a")])
    late = read_run_table(lake)
    rewrite_runs(lake, late, late.rows)
    rewrite_runs(lake, table := read_run_table(lake), changed(table))
    with pytest.raises(BusyError, match=r"fold-000001.*another process"):
        rewrite_runs(lake, late, late.rows)
    assert files_of_runs(lake) == ["fold-000002.parquet"]
    assert read_runs(lake)["images_per_s"].to_list() == [99.0]


def test_a_run_that_finishes_meanwhile_stays(lake) -> None:
    write_run(lake, 1, [label_row("a")])
    table = read_run_table(lake)
    late = write_run(lake, 2, [label_row("a")])
    rewrite_runs(lake, table, without_oldest(table))
    assert read_runs(lake)["run_id"].to_list() == [late]


def test_a_folded_run_that_is_committed_again_counts_once_as_the_fold_has_it(lake) -> None:
    write_run(lake, 1, [label_row("a")])
    table = read_run_table(lake)
    rewrite_runs(lake, table, changed(table))
    write_run(lake, 1, [label_row("a")])
    assert read_runs(lake)["images_per_s"].to_list() == [99.0]


@pytest.mark.parametrize("rewritten", [changed, without_oldest])
def test_a_rewrite_that_is_killed_leaves_the_rows_of_before_or_after(
    lake, rewritten: Callable[[RunTable], pl.DataFrame]
) -> None:
    write_run(lake, 1, [label_row("a")])
    write_run(lake, 2, [label_row("a")])
    rewrite_runs(lake, table := read_run_table(lake), table.rows)
    write_run(lake, 3, [label_row("a")])
    table = read_run_table(lake)
    after = rewritten(table)
    states: list[pl.DataFrame] = []  # what a reader finds if the process is killed there
    with before_each_change(lambda: states.append(read_runs(lake))):
        rewrite_runs(lake, table, after)
    states.append(read_runs(lake))
    assert len(states) > 3
    seen = [state.equals(after) for state in states]
    assert all(state.equals(after) or state.equals(table.rows) for state in states)
    assert seen == sorted(seen)
    assert seen[-1]
    assert files_of_runs(lake) == [f"fold-{2 if rewritten is changed else 3:06d}.parquet"]


def test_a_reader_lists_again_when_a_fold_removes_files_that_it_was_about_to_read(lake, monkeypatch) -> None:
    write_run(lake, 1, [label_row("a")])
    rows = read_runs(lake)
    read = LocalFileSystem.cat_file
    folded = []

    def fold_first(filesystem: LocalFileSystem, path: str, **options: object) -> bytes:
        if not folded:
            folded.append(path)
            rewrite_runs(lake, table := read_run_table(lake), table.rows)
        return bytes(read(filesystem, path, **options))

    monkeypatch.setattr(LocalFileSystem, "cat_file", fold_first)
    assert read_runs(lake).equals(rows)
    assert folded

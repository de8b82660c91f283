"""kill -9 of the driver and of Ray's workers in the middle of a run."""

import re
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from laketag.pipeline.lake import queries
from tests.end_to_end.command_line import Following, must_run, one_line, start_laketag, wait_until
from tests.end_to_end.held import BEGUN, FREE, Held, hold_back
from tests.end_to_end.lakes import MANY, assert_same, label, many_images, staged_parts, staged_rows, table
from tests.label_actors import hold_at_work
from tests.process_tree import Started, below
from tests.stores.store import Store

pytestmark = pytest.mark.chaos
WORKER = re.compile(r"ray::(IDLE|MapBatches|MapWorker)")
"""Title of a process that fetches, decodes, labels or writes, or waits for such work; Ray's own helpers are others."""


def start_labelling(held: Held, settings: Path) -> Following:
    """A run, on a Ray of its own, that has staged its first parts and waits for the rest."""
    run = start_laketag(*label(held.lake), *held.options, "--settings", str(settings), env=held.store.env)
    run.until(held.has_begun, BEGUN)
    return run


def kill_workers_at_work(run: Following, held: Held) -> None:
    """The store has given more, a label actor was at work on it, and all workers were killed."""
    with hold_at_work(run, run.process.pid) as at_work:
        held.let_go()
        at_work.until_stopped(run.process.pid)
        for worker in workers(run):
            worker.kill()


def workers(run: Following) -> list[Started]:
    """Ray's worker processes, idle ones too."""
    return [process for process in below(run.process.pid) if WORKER.match(process.title)]


@pytest.mark.usefixtures("joined_ray")
def test_a_killed_driver_leaves_a_run_that_the_same_command_finishes(
    moto: Store, small_blocks: Path, described: Path, undisturbed: pl.DataFrame
) -> None:
    with hold_back(moto, described) as held:
        run = start_labelling(held, small_blocks)
        working = workers(run)
        run.process.kill()
        assert run.wait() == -9
        wait_until(lambda: not any(worker.title for worker in working), "the workers follow the driver")
        kept = staged_rows(moto, held.lake)
    assert 0 < kept.height <= FREE

    again = datetime.now(UTC)
    said = must_run(*label(held.lake), "--settings", str(small_blocks), *moto.options, env=moto.env)
    assert "going on with run" in said
    assert f"labelled {MANY}" in one_line(said)
    ours = table(moto, held.lake)
    assert_same(undisturbed, ours)
    assert ours.filter(pl.col("labelled_at") < again)["image_id"].to_list() == sorted(kept["image_id"])
    (row,) = queries.runs(held.lake, storage=moto.storage).collect().to_dicts()
    assert (row["starts"], sum(actor["images"] for actor in row["actors"])) == (2, MANY)
    assert row["bytes_read"] == sum(map(len, many_images().values()))  # of both processes, each image once
    assert row["seconds"] > row["start_s"] > 0


def test_killed_workers_cost_nothing_but_time(
    moto: Store, small_blocks: Path, described: Path, undisturbed: pl.DataFrame
) -> None:
    """All of them at once, twice, and the run has staged more in between."""
    with hold_back(moto, described, (FREE, FREE + 8, FREE + 16)) as held:
        run = start_labelling(held, small_blocks)
        kill_workers_at_work(run, held)
        before = len(staged_parts(moto, held.lake))
        run.until(lambda: len(staged_parts(moto, held.lake)) > before, "the run goes on")
        kill_workers_at_work(run, held)
        held.let_go()
        assert run.wait() == 0, run.text
    assert f"labelled {MANY}" in one_line(run.text)
    assert "Traceback" not in run.text
    assert_same(undisturbed, table(moto, held.lake))

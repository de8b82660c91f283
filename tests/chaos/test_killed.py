"""kill -9 of the driver and of Ray's workers in the middle of a run."""

import re
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from tests.end_to_end.command_line import Following, must_run, one_line, start_laketag, wait_until
from tests.end_to_end.held import Held, hold_back
from tests.end_to_end.lakes import MANY, assert_same, label, staged_parts, staged_rows, table
from tests.process_tree import Started, below
from tests.stores.store import Store


def start_labelling(store: Store, held: Held, settings: Path) -> Following:
    """A run that has staged its first parts and waits for the rest."""
    run = start_laketag(*label(held.lake), *held.options, "--settings", str(settings), env=store.env)
    wait_until(
        lambda: len(staged_parts(store, held.lake)) >= 3 or run.process.poll() is not None,
        "three parts are staged",
    )
    assert run.process.poll() is None, run.text
    return run


WORKER = re.compile(r"ray::(IDLE|MapBatches|MapWorker)")
"""Title of a process that fetches, decodes, labels or writes, or waits for such work; Ray's own helpers are others."""


def workers(run: Following) -> list[Started]:
    """Ray's worker processes, idle ones too."""
    return [process for process in below(run.process.pid) if WORKER.match(process.title)]


def kill_workers_at_work(run: Following) -> None:
    """All workers are killed while a label actor is among them."""
    wait_until(
        lambda: any("LabelImages" in w.title for w in workers(run)) or run.process.poll() is not None,
        "a label actor is up",
    )
    assert run.process.poll() is None, run.text
    for worker in workers(run):
        worker.kill()


def test_a_killed_driver_leaves_a_run_that_the_same_command_finishes(
    moto: Store, slow_settings: Path, described: Path, undisturbed: pl.DataFrame
) -> None:
    with hold_back(moto, described) as held:
        run = start_labelling(moto, held, slow_settings)
        started = below(run.process.pid)
        run.process.kill()
        assert run.wait() == -9
        wait_until(lambda: not any(process.title for process in started), "Ray's processes follow the driver")
        kept = staged_rows(moto, held.lake)
    assert 0 < kept.height < MANY // 2

    again = datetime.now(UTC)
    said = must_run(*label(held.lake), "--settings", str(slow_settings), env=moto.env)
    assert "going on with run" in said
    assert f"labelled {MANY}" in one_line(said)
    ours = table(moto, held.lake)
    assert_same(undisturbed, ours)
    assert ours.filter(pl.col("labelled_at") < again)["image_id"].to_list() == sorted(kept["image_id"])


def test_killed_workers_cost_nothing_but_time(
    moto: Store, slow_settings: Path, described: Path, undisturbed: pl.DataFrame
) -> None:
    """All of them at once, twice, and the run has staged more in between."""
    with hold_back(moto, described, (r"0[3-6]\d", r"0[7-9]\d|1\d\d")) as held:
        run = start_labelling(moto, held, slow_settings)
        kill_workers_at_work(run)
        before = len(staged_parts(moto, held.lake))
        held.let_go()
        wait_until(
            lambda: len(staged_parts(moto, held.lake)) > before or run.process.poll() is not None,
            "the run goes on",
        )
        kill_workers_at_work(run)
        held.let_go()
        assert run.wait() == 0, run.text
    assert f"labelled {MANY}" in one_line(run.text)
    assert "Traceback" not in run.text
    assert_same(undisturbed, table(moto, held.lake))

"""kill -9 of the driver and of Ray's workers in the middle of a run."""

import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from tests.end_to_end.command_line import Following, must_run, one_line, start_laketag, wait_until
from tests.end_to_end.lakes import (
    index_named,
    label,
    many_images,
    put_all,
    staged_parts,
    table,
)
from tests.end_to_end.test_equal_tables import assert_same
from tests.process_tree import Started, below
from tests.stores.store import Store, folder_store

IMAGES = many_images(60)


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory, slow_settings: Path, descriptions: Path) -> Store:
    """Images that are indexed and described, in a folder."""
    store = folder_store(tmp_path_factory.mktemp("indexed"))
    put_all(store, IMAGES)
    index_named(store, store.url("lake"), IMAGES)
    describe = ("describe", str(descriptions), "--root", store.url("lake"), "-s", "s")
    must_run(*describe, "--settings", str(slow_settings))
    return store


@pytest.fixture
def lake(indexed: Store, tmp_path: Path) -> Store:
    """A lake of its own for each test, on the same images."""
    shutil.copytree(indexed.url("lake"), tmp_path / "lake")
    return folder_store(tmp_path)


@pytest.fixture(scope="module")
def undisturbed(
    indexed: Store, slow_settings: Path, tmp_path_factory: pytest.TempPathFactory
) -> pl.DataFrame:
    """The table of the same images when nothing is killed."""
    store = folder_store(tmp_path_factory.mktemp("undisturbed"))
    shutil.copytree(indexed.url("lake"), store.url("lake"))
    must_run(*label(store.url("lake")), "--settings", str(slow_settings))
    return table(store, store.url("lake"))


def start_labelling(lake: Store, settings: Path) -> Following:
    """A run that has staged its first parts and is far from done."""
    run = start_laketag(*label(lake.url("lake")), "--settings", str(settings))
    wait_until(
        lambda: len(staged_parts(lake, lake.url("lake"))) >= 3 or run.process.poll() is not None,
        "three parts are staged",
    )
    assert run.process.poll() is None, run.text
    return run


WORKER = re.compile(r"ray::(IDLE|MapBatches|MapWorker)")
"""Title of a process that fetches, decodes, labels or writes, or waits for such work; Ray's own helpers are others."""


def workers(run: Following) -> list[Started]:
    """Ray's worker processes, idle ones too."""
    return [process for process in below(run.process.pid) if WORKER.match(process.title)]


def kill_workers_at_work(run: Following, lake: Store) -> None:
    """All workers are killed while a label actor is among them, and the run has staged more since."""

    def parts() -> int:
        return len(staged_parts(lake, lake.url("lake")))

    wait_until(
        lambda: any("LabelImages" in w.title for w in workers(run)) or run.process.poll() is not None,
        "a label actor is up",
    )
    assert run.process.poll() is None, run.text
    before = parts()
    for worker in workers(run):
        worker.kill()
    wait_until(lambda: parts() > before or run.process.poll() is not None, "the run goes on")


def test_a_killed_driver_leaves_a_run_that_the_same_command_finishes(
    lake: Store, slow_settings: Path, undisturbed: pl.DataFrame
) -> None:
    run = start_labelling(lake, slow_settings)
    started = below(run.process.pid)
    run.process.kill()
    assert run.wait() == -9
    wait_until(lambda: not any(process.title for process in started), "Ray's processes follow the driver")
    kept = pl.read_parquet(staged_parts(lake, lake.url("lake")))
    assert 0 < kept.height < len(IMAGES)

    again = datetime.now(UTC)
    said = must_run(*label(lake.url("lake")), "--settings", str(slow_settings))
    assert "going on with run" in said
    assert f"labelled {len(IMAGES)}" in one_line(said)
    ours = table(lake, lake.url("lake"))
    assert_same(undisturbed, ours)
    assert ours.filter(pl.col("labelled_at") < again)["image_id"].to_list() == sorted(kept["image_id"])


def test_killed_workers_cost_nothing_but_time(
    lake: Store, slow_settings: Path, undisturbed: pl.DataFrame
) -> None:
    """Fetching, decoding and labelling ones at once, twice."""
    run = start_labelling(lake, slow_settings)
    for _ in range(2):
        kill_workers_at_work(run, lake)
    assert run.wait() == 0, run.text
    assert f"labelled {len(IMAGES)}" in one_line(run.text)
    assert "Traceback" not in run.text
    assert_same(undisturbed, table(lake, lake.url("lake")))

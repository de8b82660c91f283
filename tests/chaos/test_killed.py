"""kill -9 of the driver and of Ray's workers in the middle of a run."""

import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from tests.end_to_end.command_line import Following, must_run, one_line, start_laketag, wait_until
from tests.end_to_end.lakes import (
    assert_same,
    index_named,
    label,
    many_images,
    put_described,
    staged_parts,
    table,
)
from tests.process_tree import Started, below
from tests.stores.store import Store, folder_store

IMAGES = many_images(60)


@pytest.fixture(scope="module")
def indexed(many_in_a_folder: Store, described: Path) -> str:
    """A lake on some of the many images, indexed and described."""
    lake = many_in_a_folder.url("some")
    index_named(many_in_a_folder, lake, IMAGES)
    put_described(many_in_a_folder, lake, described)
    return lake


@pytest.fixture
def lake(indexed: str, tmp_path: Path) -> Store:
    """A lake of its own for each test, on the same images."""
    shutil.copytree(indexed, tmp_path / "lake")
    return folder_store(tmp_path)


def assert_undisturbed(ours: pl.DataFrame, undisturbed: pl.DataFrame) -> None:
    """The table says what it says when nothing is killed."""
    assert_same(undisturbed.filter(pl.col("image_id").is_in(list(IMAGES))), ours)


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
    assert_undisturbed(ours, undisturbed)
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
    assert_undisturbed(table(lake, lake.url("lake")), undisturbed)

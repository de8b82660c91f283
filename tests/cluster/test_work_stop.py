"""A dataset that is stopped while none of its blocks comes."""

import os
import signal
import threading
import time
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest
import ray.data
from ray.data import TaskPoolStrategy

from laketag.pipeline.cluster.execution import open_blocks
from laketag.pipeline.cluster.work_stop import StopWatch, WorkStop, WorkStoppedError

BLOCKS = 6


def test_a_stop_is_due_once_it_is_asked_for_or_its_time_has_come() -> None:
    stop = WorkStop.after(None)
    assert not stop.is_due
    stop.asked = True
    assert stop.is_due
    assert WorkStop.after(0.0).is_due
    assert not WorkStop.after(1.0).is_due


@pytest.mark.usefixtures("joined_ray")
def test_a_dataset_whose_stop_becomes_due_ends_at_once(tmp_path: Path) -> None:
    def slowly(block: pa.Table) -> pa.Table:
        while not (tmp_path / "is-over").exists():  # Ray lets a task go on, and the next test needs its CPU
            time.sleep(0.01)
        return block

    dataset = ray.data.from_arrow([pa.table({"number": [1]})]).map_batches(slowly, batch_format="pyarrow")
    stop = WorkStop()
    dataset.context.custom_execution_callback_classes = [partial(StopWatch, stop)]  # type: ignore[list-item]
    with open_blocks(dataset) as blocks:
        threading.Timer(0.5, setattr, (stop, "asked", True)).start()
        with pytest.raises(WorkStoppedError):
            next(blocks)
    (tmp_path / "is-over").touch()


@pytest.mark.usefixtures("joined_ray")
def test_what_is_finished_goes_through_the_last_stage_before_an_interrupt_comes_out(tmp_path: Path) -> None:
    def make(block: pa.Table) -> pa.Table:
        (tmp_path / f"made-{block['number'][0]}").touch()
        return block

    def write(block: pa.Table) -> pa.Table:
        while len(list(tmp_path.glob("made-*"))) < BLOCKS:
            time.sleep(0.01)
        time.sleep(0.2)  # so that most blocks wait for it when the interrupt comes
        (tmp_path / f"written-{block['number'][0]}").touch()
        return block

    tables = [pa.table({"number": [number]}) for number in range(BLOCKS)]
    dataset = (
        ray.data.from_arrow(tables)
        .map_batches(make, batch_format="pyarrow", batch_size=None, num_cpus=0.2)
        .map_batches(
            write, batch_format="pyarrow", batch_size=None, num_cpus=0.3, compute=TaskPoolStrategy(size=1)
        )
    )
    stop = WorkStop()
    dataset.context.custom_execution_callback_classes = [partial(StopWatch, stop)]  # type: ignore[list-item]

    def read() -> None:
        with open_blocks(dataset, stop) as blocks:
            assert next(blocks).num_rows == 1
            threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
            list(blocks)

    with pytest.raises(KeyboardInterrupt):
        read()
    assert len(list(tmp_path.glob("written-*"))) == BLOCKS

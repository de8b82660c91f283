"""A dataset that is stopped while none of its blocks comes."""

import threading
import time
from functools import partial

import pyarrow as pa
import pytest
import ray.data

from laketag.pipeline.cluster.execution import open_blocks
from laketag.pipeline.cluster.work_stop import StopWatch, WorkStop, WorkStoppedError

LONG_S = 600.0


def test_a_stop_is_due_once_it_is_asked_for_or_its_time_has_come() -> None:
    stop = WorkStop.after(None)
    assert not stop.is_due
    stop.asked = True
    assert stop.is_due
    assert WorkStop.after(0.0).is_due
    assert not WorkStop.after(1.0).is_due


@pytest.mark.usefixtures("joined_ray")
def test_a_dataset_whose_stop_becomes_due_ends_at_once() -> None:
    def slowly(block: pa.Table) -> pa.Table:
        time.sleep(LONG_S)
        return block

    dataset = ray.data.from_arrow([pa.table({"number": [1]})]).map_batches(slowly, batch_format="pyarrow")
    stop = WorkStop()
    dataset.context.custom_execution_callback_classes = [partial(StopWatch, stop)]  # type: ignore[list-item]
    with open_blocks(dataset) as blocks:
        threading.Timer(0.5, setattr, (stop, "asked", True)).start()
        with pytest.raises(WorkStoppedError):
            next(blocks)

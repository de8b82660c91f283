"""What still runs when a dataset is left."""

import threading
import time

import pyarrow as pa
import pytest
import ray.data

from laketag.pipeline.cluster.execution import open_blocks

WITHOUT_RAY = ("Prefetcher", "data-usage-metrics-poller")
"""Threads of Ray Data that go on and never call Ray: one waits for work, one uses HTTP."""
BLOCKS = 400
BLOCK_S = 0.2
"""Two at a time, they take twice as long as the threads are waited for: an execution that was not ended would be found."""


def python_threads() -> set[str]:
    """The daemon threads of this process that may call Ray."""
    names = {thread.name for thread in threading.enumerate() if thread.daemon}
    return {name for name in names if not name.startswith(WITHOUT_RAY)}


@pytest.mark.usefixtures("joined_ray")
def test_a_dataset_that_is_read_in_part_ends() -> None:
    """A thread of it that calls Ray 2.60 after ray.shutdown() ends the process without a message."""

    def slowly(block: pa.Table) -> pa.Table:
        time.sleep(BLOCK_S)
        return block

    tables = [pa.table({"number": [number]}) for number in range(BLOCKS)]
    numbers = ray.data.from_arrow(tables).map_batches(slowly, batch_format="pyarrow", batch_size=None)
    before = python_threads()
    with open_blocks(numbers) as blocks:
        assert next(blocks).num_rows == 1
        during = python_threads() - before
        assert any(name.startswith("StreamingExecutor") for name in during)
    assert python_threads() - before == set(), f"of {during}"

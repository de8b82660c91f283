"""What is left when a command is done with Ray, and what that does to the next Ray of the same process."""

import gc
import threading
import time

import pyarrow as pa
import pytest
import ray.data

from laketag.pipeline.cluster.execution import open_blocks
from laketag.pipeline.cluster.ray_runtime import ray_runtime

WITHOUT_RAY = ("Prefetcher", "data-usage-metrics-poller")
"""Threads of Ray Data that go on and do not ask Ray for anything: one that waits for work, one that speaks HTTP."""


def python_threads() -> set[str]:
    """Of this process; those that Ray itself keeps while it is connected are there before a dataset runs."""
    names = {thread.name for thread in threading.enumerate() if thread.daemon}
    return {name for name in names if not name.startswith(WITHOUT_RAY)}


@pytest.mark.usefixtures("without_ray")
def test_what_is_read_in_part_runs_on_no_longer() -> None:
    """Ray 2.60 ends the process, silently, when a thread of an execution reaches for it after ray.shutdown()."""

    def slowly(block: pa.Table) -> pa.Table:
        time.sleep(0.2)  # so that most blocks are still to come when the first is read
        return block

    with ray_runtime(logical_cpus=2):
        tables = [pa.table({"number": [number]}) for number in range(20)]
        numbers = ray.data.from_arrow(tables).map_batches(slowly, batch_format="pyarrow", batch_size=None)
        before = python_threads()
        with open_blocks(numbers) as blocks:
            assert next(blocks).num_rows == 1
            during = python_threads() - before
            assert any(name.startswith("StreamingExecutor") for name in during)
        assert python_threads() - before == set(), f"of {during}"
    assert not ray.is_initialized()


@pytest.mark.usefixtures("without_ray")
def test_a_forgotten_handle_of_an_earlier_ray_releases_no_actor() -> None:
    """Ray 2.60 numbers actors alike in each of a process's Rays, and a handle releases its number wherever it ends."""

    @ray.remote
    class Counter:
        def count(self) -> int:
            return 1

    with ray_runtime(logical_cpus=2):
        cycle: list[object] = [Counter.remote()]
        cycle.append(cycle)
        del cycle
    with ray_runtime(logical_cpus=2):
        counter = Counter.remote()
        gc.collect()
        assert ray.get(counter.count.remote()) == 1

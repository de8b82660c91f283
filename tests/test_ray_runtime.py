"""What is left running when a command is done with Ray."""

import threading
import time

import pyarrow as pa
import ray.data

from pipeline.ray_runtime import DATA_THREADS, open_blocks, ray_runtime


def data_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(DATA_THREADS)]


def slowly(block: pa.Table) -> pa.Table:
    time.sleep(0.2)
    return block


def test_what_is_read_in_part_runs_on_no_longer() -> None:
    """Ray 2.60 ends the process, silently, when a thread of an execution reaches for it after ray.shutdown()."""
    with ray_runtime():
        tables = [pa.table({"number": [number]}) for number in range(20)]
        numbers = ray.data.from_arrow(tables).map_batches(slowly, batch_format="pyarrow", batch_size=None)
        with open_blocks(numbers) as blocks:
            assert next(blocks).num_rows == 1
            assert any(name.startswith("StreamingExecutor") for name in data_threads())
        assert data_threads() == []
    assert not ray.is_initialized()

"""A command whose label actors can never be placed: ``python -m tests.cluster.wait_for_actors``."""

import os
from functools import partial

import pyarrow as pa
import ray.data
from ray.data import ActorPoolStrategy

from laketag.jobs.stop_signals import stop_signals
from laketag.pipeline.cluster.execution import NO_TIMEOUT, open_blocks
from laketag.pipeline.cluster.ray_runtime import ray_runtime
from laketag.pipeline.cluster.work_stop import StopWatch, WorkStop


class NeverPlaced:
    """Needs more CPUs than the Ray has."""

    def __call__(self, batch: pa.Table) -> pa.Table:
        """The same rows."""
        return batch


def main() -> None:
    """Wait for the actors until a signal comes; prints when it waits and when Ray has been left."""
    with stop_signals(release_s=600) as stop:
        try:
            with ray_runtime(logical_cpus=2):
                placed_nowhere = ActorPoolStrategy(size=2)
                chain = ray.data.range(8).map_batches(NeverPlaced, num_cpus=64, compute=placed_nowhere)
                chain.context.execution_no_progress_timeout_s = NO_TIMEOUT
                work = WorkStop()
                chain.context.custom_execution_callback_classes = [partial(StopWatch, work)]
                with open_blocks(chain, work) as blocks:
                    os.write(1, b"waits\n")
                    list(blocks)
        except KeyboardInterrupt:
            os.write(1, b"left\n")
    os._exit(stop.exit_code)


if __name__ == "__main__":
    main()

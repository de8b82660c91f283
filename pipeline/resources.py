"""The numbers of a labelling run, decided once on the driver from what Ray has."""

import math
import os
from dataclasses import dataclass

from pipeline.config import RunSettings
from pipeline.errors import ClusterError
from pipeline.ray_runtime import RayRuntime

FETCH_CPUS = 0.25  # waits for the network; its work on a CPU is copying
DECODE_CPUS = 0.5  # one thread, but logical CPUs of a laptop are few and the label actor needs its own
SMALL_CPUS = 0.25  # reading the plan and writing parts: milliseconds for a block
WAVES = 8
"""A small plan is cut so that each actor gets at least so many blocks: progress moves, and the tail is short."""


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What the flow asks Ray for; printed before work starts."""

    device: str  # cpu or cuda
    actors: int  # label actors at the start
    max_actors: int  # label actors that the pool may grow to
    cpus_per_actor: float
    gpus_per_actor: float
    threads_per_actor: int  # torch threads, on a CPU
    batch_size: int  # images in one call of a label actor
    rows_per_block: int  # images in one task of fetch and decode

    def __str__(self) -> str:
        pool = f"{self.actors}" if self.actors == self.max_actors else f"{self.actors} to {self.max_actors}"
        own = (
            f"{self.gpus_per_actor:g} GPU"
            if self.gpus_per_actor
            else f"{self.threads_per_actor} torch threads"
        )
        return (
            f"{pool} label actor(s) on {self.device} with {self.cpus_per_actor:g} CPU and {own} each, "
            f"{self.batch_size} images a batch, {self.rows_per_block} a block"
        )


def decide_resources(runtime: RayRuntime, run: RunSettings, planned: int) -> Resources:
    """The run's resources, or a ClusterError that says what the cluster lacks for the settings."""
    device = ("cuda" if runtime.gpus else "cpu") if run.device == "auto" else run.device
    gpus = run.gpus_per_actor if device == "cuda" else 0.0
    if gpus and runtime.gpus < gpus:
        raise ClusterError(
            f"run.device = 'cuda' needs {gpus:g} GPU for a label actor, and the cluster has {runtime.gpus:g}; "
            "add GPU nodes, lower run.gpus_per_actor, or set run.device = 'cpu'"
        )
    actors = run.actors or (math.floor(runtime.gpus / gpus) if gpus else 1)
    cpus = run.cpus_per_actor or 1.0
    wanted = actors * cpus + DECODE_CPUS + FETCH_CPUS + SMALL_CPUS
    if wanted > runtime.cpus or actors * gpus > runtime.gpus:
        raise ClusterError(
            f"{actors} label actor(s) with {cpus:g} CPU and {gpus:g} GPU each, and 1 CPU for fetch, decode and write, "
            f"need {wanted:g} CPU and {actors * gpus:g} GPU; the cluster has {runtime.cpus:g} CPU and {runtime.gpus:g} GPU. "
            "Lower run.actors, run.cpus_per_actor or run.gpus_per_actor, or add nodes"
        )
    max_actors = max(actors, run.max_actors or actors)
    blocks = max(1, max_actors * WAVES)
    rows_per_block = max(min(run.rows_per_block, math.ceil(planned / blocks)), min(8, run.batch_size))
    return Resources(
        device=device,
        actors=actors,
        max_actors=max_actors,
        cpus_per_actor=cpus,
        gpus_per_actor=gpus,
        threads_per_actor=run.threads_per_actor or max(1, (os.cpu_count() or 1) // actors),
        batch_size=min(run.batch_size, rows_per_block),
        rows_per_block=rows_per_block,
    )

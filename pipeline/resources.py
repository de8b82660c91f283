"""The numbers of a labelling run, decided once on the driver from what Ray has."""

import math
import os
from dataclasses import dataclass

from pipeline.config import RunSettings
from pipeline.errors import ClusterError
from pipeline.ray_runtime import RayRuntime

FETCH_CPUS = 0.25  # waits for the network; its work on a CPU is copying
DECODE_CPUS = 0.5  # one thread, but logical CPUs of a laptop are few and the label actor needs its own
WRITE_CPUS = 0.25  # milliseconds for a block
WAVES = 8
"""A small plan is cut so that each actor gets at least so many blocks: progress moves, and the tail is short."""
SMALLEST_BLOCK = 8
GIB = 2**30
ACTOR_GIB = 2.0
"""What a label actor with ViT-B stays under; see the benchmark of memory."""


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What the flow asks Ray for; printed before work starts."""

    device: str  # cpu or cuda
    actors: int  # label actors at the start
    max_actors: int  # label actors that the pool may grow to
    cpus_per_actor: float
    gpus_per_actor: float
    memory_per_actor_bytes: int  # that Ray reserves; 0: none
    threads_per_actor: int  # torch threads, on a CPU
    fetch_slots: int  # fetch tasks at once
    decode_slots: int  # decode tasks at once
    batch_size: int  # images in one call of a label actor
    rows_per_block: int  # images in one task of fetch and decode

    def __str__(self) -> str:
        pool = f"{self.actors}" if self.actors == self.max_actors else f"{self.actors} to {self.max_actors}"
        own = (
            f"{self.gpus_per_actor:g} GPU"
            if self.gpus_per_actor
            else f"{self.threads_per_actor} torch threads"
        )
        memory = (
            f", {self.memory_per_actor_bytes / GIB:g} GiB reserved" if self.memory_per_actor_bytes else ""
        )
        return (
            f"{pool} label actor(s) on {self.device} ({self.cpus_per_actor:g} CPU, {own}{memory} each), "
            f"{self.fetch_slots} fetch and {self.decode_slots} decode slots, "
            f"{self.batch_size} images a batch, {self.rows_per_block} a block"
        )

    def actor_bundle(self) -> dict[str, float]:
        """What one label actor needs, in Ray's words."""
        bundle = {
            "CPU": self.cpus_per_actor,
            "GPU": self.gpus_per_actor,
            "memory": float(self.memory_per_actor_bytes),
        }
        return {name: amount for name, amount in bundle.items() if amount}


def decide_resources(runtime: RayRuntime, run: RunSettings, planned: int) -> Resources:
    """The run's resources, or a ClusterError that says what the cluster lacks for the settings."""
    device = ("cuda" if runtime.gpus else "cpu") if run.device == "auto" else run.device
    gpus = run.gpus_per_actor if device == "cuda" else 0.0
    actors = run.actors or (max(1, _fit(runtime.gpus, gpus)) if gpus else 1)
    max_actors = max(actors, run.max_actors or actors)
    cpus = run.cpus_per_actor or 1.0
    memory = _memory_bytes(runtime, run, actors)
    if not run.autoscaling:
        _refuse_what_lacks(runtime, device, actors, cpus, gpus, memory)
    left = max(FETCH_CPUS + DECODE_CPUS, runtime.cpus - actors * cpus - WRITE_CPUS)
    slots = max(1, _fit(left, FETCH_CPUS + DECODE_CPUS))
    blocks = max_actors * WAVES
    rows_per_block = max(
        min(run.rows_per_block, math.ceil(planned / blocks)), min(SMALLEST_BLOCK, run.rows_per_block)
    )
    return Resources(
        device=device,
        actors=actors,
        max_actors=max_actors,
        cpus_per_actor=cpus,
        gpus_per_actor=gpus,
        memory_per_actor_bytes=memory,
        threads_per_actor=run.threads_per_actor or max(1, (os.cpu_count() or 1) // actors),
        fetch_slots=run.fetch_slots or slots,
        decode_slots=run.decode_slots or slots,
        batch_size=min(run.batch_size, rows_per_block),
        rows_per_block=rows_per_block,
    )


def _refuse_what_lacks(
    runtime: RayRuntime, device: str, actors: int, cpus: float, gpus: float, memory_bytes: int
) -> None:
    """ClusterError if the cluster cannot hold the label actors and one task of each other stage."""
    others = FETCH_CPUS + DECODE_CPUS + WRITE_CPUS
    wanted = {
        "CPU": (actors * cpus + others, runtime.cpus),
        "GPU": (actors * gpus, runtime.gpus),
        "GiB memory": (actors * memory_bytes / GIB, runtime.memory_bytes / GIB),
    }
    lacking = [
        f"{need:g} {name} (it has {has:.3g})" for name, (need, has) in wanted.items() if need > has + 1e-6
    ]
    if lacking:
        raise ClusterError(
            f"{actors} label actor(s) on {device} with {cpus:g} CPU and {gpus:g} GPU each, and {others:g} CPU to fetch, decode and "
            f"write with, need more than the cluster has: {', '.join(lacking)}. Lower run.actors, run.cpus_per_actor, "
            "run.gpus_per_actor or run.memory_per_actor_gib, set run.device = 'cpu', add nodes, "
            "or set run.autoscaling = true where the cluster adds them itself"
        )


def _memory_bytes(runtime: RayRuntime, run: RunSettings, actors: int) -> int:
    """The setting, or ACTOR_GIB where the cluster has so much for each actor and half of it left for the rest."""
    if run.memory_per_actor_gib is not None:
        return int(run.memory_per_actor_gib * GIB)
    affordable = run.autoscaling or runtime.memory_bytes >= 2 * actors * ACTOR_GIB * GIB
    return int(ACTOR_GIB * GIB) if affordable else 0


def _fit(amount: float, each: float) -> int:
    """How often a share fits, forgiving rounding."""
    return math.floor(amount / each + 1e-9)

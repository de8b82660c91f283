"""How much of the cluster a run uses, decided once on the driver from what Ray has."""

import math
import sys
from collections import Counter
from dataclasses import dataclass, replace

from laketag.pipeline.cluster.actor_shape import (
    DECODE_CPUS,
    FETCH_CPUS,
    OTHER_CPUS,
    WRITE_CPUS,
    ActorShape,
    find_lacking,
    fit,
    most_actors,
)
from laketag.pipeline.cluster.nodes import GIB
from laketag.pipeline.cluster.ray_runtime import RayRuntime
from laketag.pipeline.config import RunSettings
from laketag.pipeline.errors import ClusterError

GPU_ACTOR_CPUS = (1.0, 0.5, 0.25)
"""CPUs of a label actor on a GPU; the smaller numbers are for nodes with many GPUs and few CPUs."""
CPU_ACTOR_SHARE = 0.75
"""Share of the CPUs that label actors get on a cluster without GPUs; fetch and decode need less there."""
GROWN_SLOTS = 8
"""Fetch and decode tasks for each label actor that an autoscaling cluster may grow to: as many as fit on the 7 CPUs beside an
actor's own on the machines of ray_cluster.yaml and infra/kubernetes. Too many do no harm; too few would starve GPUs."""
BLOCKS_PER_ACTOR = 8
"""A small plan is cut into at least this many blocks for each actor, so that progress shows and no actor ends much later."""
LARGEST_GPU_BLOCK, LARGEST_CPU_BLOCK, SMALLEST_BLOCK = 128, 16, 8
"""Images. On a CPU a block takes minutes, and a block is what is lost with a worker."""
GPU_BATCH, CPU_BATCH = 32, 8
"""Images in one call of a label actor. Larger batches are no faster on a CPU, where a call takes minutes."""
ACTOR_GIB = 2.0
"""A label actor with ViT-B needs less than this; measured by tests/benches/memory.py."""


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What a flow asks Ray for; printed before work starts."""

    device: str  # cpu or cuda
    actors: int  # the fewest label actors
    max_actors: int  # the most that the pool may grow to
    autoscaling: bool  # the cluster adds nodes on demand
    cpus_per_actor: float
    gpus_per_actor: float
    memory_per_actor_bytes: int  # reserved by Ray; 0: none
    threads_per_actor: int  # torch threads, on a CPU
    fetch_slots: int  # fetch tasks at once
    decode_slots: int  # decode tasks at once
    batch_size: int  # images in one call of a label actor
    rows_per_block: int  # images in one task of fetch and decode

    @property
    def shape(self) -> ActorShape:
        """What one label actor takes of a node."""
        return ActorShape(self.cpus_per_actor, self.gpus_per_actor, self.memory_per_actor_bytes)

    @property
    def initial_actors(self) -> int:
        """How many to ask Ray for at the start.

        An autoscaling cluster is asked for all at once: those without room are what it adds nodes for.
        """
        return self.max_actors if self.autoscaling else self.actors

    def for_one_image(self) -> "Resources":
        """The same actor, and one of everything: no two images are in memory at once."""
        one = dict.fromkeys(
            ("actors", "max_actors", "fetch_slots", "decode_slots", "batch_size", "rows_per_block"), 1
        )
        return replace(self, **one)  # type: ignore[arg-type]  # names of integer fields

    def __str__(self) -> str:
        pool = f"{self.actors}" if self.actors == self.max_actors else f"{self.actors} to {self.max_actors}"
        own = (
            f"{self.gpus_per_actor:g} GPU"
            if self.gpus_per_actor
            else f"{self.threads_per_actor} torch thread(s)"
        )
        memory = (
            f", {self.memory_per_actor_bytes / GIB:g} GiB reserved" if self.memory_per_actor_bytes else ""
        )
        gpus = self.max_actors * self.gpus_per_actor
        each = (
            f" ({self.fetch_slots / gpus:.3g} and {self.decode_slots / gpus:.3g} for each GPU)"
            if gpus
            else ""
        )
        return (
            f"{pool} label actor(s) on {self.device} ({self.cpus_per_actor:g} CPU, {own}{memory} each), "
            f"{self.fetch_slots} fetch and {self.decode_slots} decode slots{each}, "
            f"{self.batch_size} images a batch, {self.rows_per_block} a block"
        )


def decide_resources(runtime: RayRuntime, settings: RunSettings, planned: int) -> Resources:
    """Resources for this many planned images; a ClusterError says what the cluster lacks for the settings."""
    device = ("cuda" if runtime.total.gpus else "cpu") if settings.device == "auto" else settings.device
    gpus = settings.gpus_per_actor if device == "cuda" else 0.0
    cpus = settings.cpus_per_actor or _choose_cpus(runtime, settings, gpus)
    fitting = _choose_actors(runtime, ActorShape(cpus, gpus))
    actors = settings.actors or min(fitting, settings.max_actors or sys.maxsize)
    max_actors = max(actors, settings.max_actors or actors)
    shape = ActorShape(cpus, gpus, _choose_memory(runtime, settings, ActorShape(cpus, gpus), actors))
    lacking = find_lacking(runtime.nodes, shape, actors)
    if lacking and not settings.autoscaling:
        raise ClusterError(
            f"{actors} label actor(s) on {device} with {shape} each, and {OTHER_CPUS:g} CPU to fetch, decode "
            f"and write with, need more than the cluster has: {', '.join(lacking)}. Lower run.actors, run.cpus_per_actor, "
            "run.gpus_per_actor or run.memory_per_actor_gib, set run.device = 'cpu', add nodes, "
            "or set run.autoscaling = true where the cluster adds them itself"
        )
    slots = _choose_slots(runtime, settings, actors * cpus, max_actors)
    rows_per_block = settings.rows_per_block or _choose_rows(settings, planned, device, max_actors)
    return Resources(
        device=device,
        actors=actors,
        max_actors=max_actors,
        autoscaling=settings.autoscaling,
        cpus_per_actor=cpus,
        gpus_per_actor=gpus,
        memory_per_actor_bytes=shape.memory_bytes,
        threads_per_actor=settings.threads_per_actor or _choose_threads(runtime, cpus, actors),
        fetch_slots=settings.fetch_slots or slots,
        decode_slots=settings.decode_slots or slots,
        batch_size=settings.batch_size or min(GPU_BATCH if device == "cuda" else CPU_BATCH, rows_per_block),
        rows_per_block=rows_per_block,
    )


def _choose_cpus(runtime: RayRuntime, settings: RunSettings, gpus: float) -> float:
    """CPUs of one label actor."""
    if gpus:  # the most with which no GPU is idle for want of a CPU
        wanted = settings.actors or ActorShape(GPU_ACTOR_CPUS[-1], gpus).fits_cluster(runtime.nodes)
        for cpus in GPU_ACTOR_CPUS:
            if not find_lacking(runtime.nodes, ActorShape(cpus, gpus), wanted):
                return cpus
        return GPU_ACTOR_CPUS[0] if settings.autoscaling else GPU_ACTOR_CPUS[-1]
    if runtime.embedded:
        return 1.0  # logical; its threads are the machine's cores
    usable = [node.cpus for node in runtime.nodes if node.cpus >= 1] or [1.0]
    if settings.actors:  # an equal share each, and no more than fits on every node
        share = fit(runtime.total.cpus * CPU_ACTOR_SHARE, settings.actors)
        return max(1.0, float(min(math.floor(min(usable)), share)))
    sizes = Counter(usable)
    # of the nodes that hold most of the CPUs
    main_size = max(sizes, key=lambda size: (sizes[size] * size, size))
    return max(1.0, float(math.floor(main_size * CPU_ACTOR_SHARE)))


def _choose_actors(runtime: RayRuntime, shape: ActorShape) -> int:
    """As many label actors as fit, leaving CPUs for the other stages."""
    if not shape.gpus and runtime.embedded:
        return 1
    cpus = runtime.total.cpus
    share = cpus - OTHER_CPUS if shape.gpus else min(cpus * CPU_ACTOR_SHARE, cpus - OTHER_CPUS)
    return max(1, most_actors(runtime.nodes, shape, fit(max(0.0, share), shape.cpus)))


def _choose_slots(runtime: RayRuntime, settings: RunSettings, actor_cpus: float, max_actors: int) -> int:
    """Fetch tasks at once, and as many decode tasks: what the other CPUs hold now, or once the cluster has grown."""
    left = max(FETCH_CPUS + DECODE_CPUS, runtime.total.cpus - actor_cpus - WRITE_CPUS)
    now = max(1, fit(left, FETCH_CPUS + DECODE_CPUS))
    return max(now, GROWN_SLOTS * max_actors) if settings.autoscaling else now


def _choose_rows(settings: RunSettings, planned: int, device: str, actors: int) -> int:
    """Images in a block: enough blocks for every actor, and a whole batch in each block."""
    wanted = math.ceil(planned / (actors * BLOCKS_PER_ACTOR))
    largest = LARGEST_GPU_BLOCK if device == "cuda" else LARGEST_CPU_BLOCK
    return max(min(wanted, largest), SMALLEST_BLOCK, settings.batch_size or 0)


def _choose_threads(runtime: RayRuntime, cpus: float, actors: int) -> int:
    """Torch threads of a label actor: its share of this machine's cores, or the CPUs that Ray reserves on a cluster."""
    return max(1, runtime.cores // actors) if runtime.embedded else max(1, fit(cpus, 1.0))


def _choose_memory(runtime: RayRuntime, settings: RunSettings, shape: ActorShape, actors: int) -> int:
    """Bytes to reserve for a label actor: ACTOR_GIB if the nodes have twice that for each, otherwise none."""
    if settings.memory_per_actor_gib is not None:
        return int(settings.memory_per_actor_gib * GIB)
    generous = ActorShape(shape.cpus, shape.gpus, int(2 * ACTOR_GIB * GIB))
    affordable = settings.autoscaling or generous.fits_cluster(runtime.nodes) >= actors
    return int(ACTOR_GIB * GIB) if affordable else 0

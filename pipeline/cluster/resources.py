"""The numbers of a run, decided once on the driver from what Ray has."""

import math
import sys
from dataclasses import dataclass

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
"""What a label actor on a GPU is given where nothing is set: less where its node has many GPUs and few CPUs."""
CPU_ACTOR_SHARE = 0.75
"""Of a cluster without GPUs, for label actors; the rest fetches and decodes, which is less work there."""
CLOSE_TO_BEST = 0.9
"""A size of label actors is good enough if they use so much of the CPUs that actors of the best size would."""
GROWN_SLOTS = 8
"""Fetch and decode tasks for each label actor that an autoscaling cluster may grow to: what 7 CPUs beside an actor's own hold,
as on the machines of ray_cluster.yaml and infra/kubernetes. More than the CPUs allow do no harm; too few would starve GPUs."""
WAVES = 8
"""A small plan is cut so that each actor gets at least so many blocks: progress moves, and the tail is short."""
LARGEST_GPU_BLOCK, LARGEST_CPU_BLOCK, SMALLEST_BLOCK = 128, 16, 8
"""Images, where run.rows_per_block is not set. On a CPU they take minutes, and a block is what moves and what is lost."""
GPU_BATCH, CPU_BATCH = 32, 8
"""Images, where run.batch_size is not set; batches gain nothing on a CPU, and a call takes minutes there."""
ACTOR_GIB = 2.0
"""What a label actor with ViT-B stays under; see the benchmark of memory."""


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What the flow asks Ray for; printed before work starts."""

    device: str  # cpu or cuda
    actors: int  # label actors that the run needs at least
    max_actors: int  # label actors that the pool may grow to
    autoscaling: bool  # the cluster adds nodes for all of them
    cpus_per_actor: float
    gpus_per_actor: float
    memory_per_actor_bytes: int  # that Ray reserves; 0: none
    threads_per_actor: int  # torch threads, on a CPU
    fetch_slots: int  # fetch tasks at once
    decode_slots: int  # decode tasks at once
    batch_size: int  # images in one call of a label actor
    rows_per_block: int  # images in one task of fetch and decode

    @property
    def shape(self) -> ActorShape:
        """Of one label actor."""
        return ActorShape(self.cpus_per_actor, self.gpus_per_actor, self.memory_per_actor_bytes)

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


def decide_resources(runtime: RayRuntime, run: RunSettings, planned: int) -> Resources:
    """The run's resources, or a ClusterError that says what the cluster lacks for the settings."""
    device = ("cuda" if runtime.total.gpus else "cpu") if run.device == "auto" else run.device
    gpus = run.gpus_per_actor if device == "cuda" else 0.0
    cpus = run.cpus_per_actor or _choose_cpus(runtime, run, gpus)
    actors = run.actors or min(_choose_actors(runtime, ActorShape(cpus, gpus)), run.max_actors or sys.maxsize)
    max_actors = max(actors, run.max_actors or actors)
    shape = ActorShape(cpus, gpus, _memory_bytes(runtime, run, ActorShape(cpus, gpus), actors))
    lacking = find_lacking(runtime.nodes, shape, actors)
    if lacking and not run.autoscaling:
        raise ClusterError(
            f"{actors} label actor(s) on {device} with {shape} each, and {OTHER_CPUS:g} CPU to fetch, decode "
            f"and write with, need more than the cluster has: {', '.join(lacking)}. Lower run.actors, run.cpus_per_actor, "
            "run.gpus_per_actor or run.memory_per_actor_gib, set run.device = 'cpu', add nodes, "
            "or set run.autoscaling = true where the cluster adds them itself"
        )
    slots = _choose_slots(runtime, run, actors * cpus, max_actors)
    rows_per_block = run.rows_per_block or _choose_rows(run, planned, device, max_actors)
    return Resources(
        device=device,
        actors=actors,
        max_actors=max_actors,
        autoscaling=run.autoscaling,
        cpus_per_actor=cpus,
        gpus_per_actor=gpus,
        memory_per_actor_bytes=shape.memory_bytes,
        threads_per_actor=run.threads_per_actor or _choose_threads(runtime, cpus, actors),
        fetch_slots=run.fetch_slots or slots,
        decode_slots=run.decode_slots or slots,
        batch_size=run.batch_size or min(GPU_BATCH if device == "cuda" else CPU_BATCH, rows_per_block),
        rows_per_block=rows_per_block,
    )


def _choose_cpus(runtime: RayRuntime, run: RunSettings, gpus: float) -> float:
    """CPUs of a label actor where none are set."""
    if gpus:  # the most with which no GPU stays idle for want of a CPU
        wanted = run.actors or ActorShape(GPU_ACTOR_CPUS[-1], gpus).fits_cluster(runtime.nodes)
        for cpus in GPU_ACTOR_CPUS:
            if not find_lacking(runtime.nodes, ActorShape(cpus, gpus), wanted):
                return cpus
        return GPU_ACTOR_CPUS[0] if run.autoscaling else GPU_ACTOR_CPUS[-1]
    if runtime.embedded:
        return 1.0  # logical; its threads are the machine's cores
    if run.actors:
        smallest = min((node.cpus for node in runtime.nodes if node.cpus >= 1), default=1.0)
        share = fit(runtime.total.cpus * CPU_ACTOR_SHARE, run.actors)
        return max(1.0, float(min(math.floor(smallest), share)))
    sizes = {max(1.0, float(math.floor(node.cpus * CPU_ACTOR_SHARE))) for node in runtime.nodes} or {1.0}
    used = {size: size * _choose_actors(runtime, ActorShape(size, 0.0)) for size in sizes}
    # the largest that leaves few CPUs to no actor, as each actor holds a copy of the models
    return max(size for size in sizes if used[size] >= CLOSE_TO_BEST * max(used.values()))


def _choose_actors(runtime: RayRuntime, shape: ActorShape) -> int:
    """Label actors where none are set: one for each GPU or its fraction, and CPUs must be left for the other stages."""
    if not shape.gpus and runtime.embedded:
        return 1
    cpus = runtime.total.cpus
    share = cpus - OTHER_CPUS if shape.gpus else min(cpus * CPU_ACTOR_SHARE, cpus - OTHER_CPUS)
    return max(1, most_actors(runtime.nodes, shape, fit(max(0.0, share), shape.cpus)))


def _choose_slots(runtime: RayRuntime, run: RunSettings, cpus_of_actors: float, max_actors: int) -> int:
    """Fetch tasks, and as many decode tasks, where none are set: what the CPUs hold now, or once the cluster has grown."""
    left = max(FETCH_CPUS + DECODE_CPUS, runtime.total.cpus - cpus_of_actors - WRITE_CPUS)
    now = max(1, fit(left, FETCH_CPUS + DECODE_CPUS))
    return max(now, GROWN_SLOTS * max_actors) if run.autoscaling else now


def _choose_rows(run: RunSettings, planned: int, device: str, actors: int) -> int:
    """Images in a block where none are set: enough blocks for every actor, and a whole batch in each."""
    wanted = math.ceil(planned / (actors * WAVES))
    largest = LARGEST_GPU_BLOCK if device == "cuda" else LARGEST_CPU_BLOCK
    return max(min(wanted, largest), SMALLEST_BLOCK, run.batch_size or 0)


def _choose_threads(runtime: RayRuntime, cpus: float, actors: int) -> int:
    """Torch threads of a label actor: of the machine's cores if it is this one, else the CPUs that Ray reserves."""
    return max(1, runtime.cores // actors) if runtime.embedded else max(1, fit(cpus, 1.0))


def _memory_bytes(runtime: RayRuntime, run: RunSettings, shape: ActorShape, actors: int) -> int:
    """The setting, or ACTOR_GIB where each node has so much for its actors and as much again for the rest."""
    if run.memory_per_actor_gib is not None:
        return int(run.memory_per_actor_gib * GIB)
    generous = ActorShape(shape.cpus, shape.gpus, int(2 * ACTOR_GIB * GIB))
    affordable = run.autoscaling or generous.fits_cluster(runtime.nodes) >= actors
    return int(ACTOR_GIB * GIB) if affordable else 0

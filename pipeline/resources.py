"""The numbers of a run, decided once on the driver from what Ray has."""

import math
import os
import sys
from dataclasses import dataclass

from pipeline.config import RunSettings
from pipeline.errors import ClusterError
from pipeline.ray_runtime import Node, RayRuntime

FETCH_CPUS = 0.25  # waits for the network; its work on a CPU is copying
DECODE_CPUS = 0.5  # one thread, but logical CPUs of a laptop are few and the label actor needs its own
WRITE_CPUS = 0.25  # milliseconds for a block
OTHER_CPUS = FETCH_CPUS + DECODE_CPUS + WRITE_CPUS
"""One task of each stage around the label actors; without them nothing moves."""
GPU_ACTOR_CPUS = (1.0, 0.5, 0.25)
"""What a label actor on a GPU is given where nothing is set: less where its node has many GPUs and few CPUs."""
CPU_ACTOR_SHARE = 0.75
"""Of a cluster without GPUs, for label actors; the rest fetches and decodes, which is less work there."""
WAVES = 8
"""A small plan is cut so that each actor gets at least so many blocks: progress moves, and the tail is short."""
LARGEST_BLOCK, SMALLEST_BLOCK = 128, 8
"""Images, where run.rows_per_block is not set."""
GPU_BATCH, CPU_BATCH = 32, 8
"""Images, where run.batch_size is not set; batches gain nothing on a CPU, and a call takes minutes there."""
GIB = 2**30
ACTOR_GIB = 2.0
"""What a label actor with ViT-B stays under; see the benchmark of memory."""
EPSILON = 1e-6


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
            else f"{self.threads_per_actor} torch thread(s)"
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


@dataclass(frozen=True)
class ActorShape:
    """What one label actor takes of a node."""

    cpus: float
    gpus: float
    memory_bytes: int = 0

    def fits(self, node: Node) -> int:
        """How many find room on the node; a fraction of a GPU never spans two."""
        limits = [_fit(node.cpus, self.cpus)]
        if self.gpus:
            each_gpu = _fit(1.0, self.gpus)
            limits.append(
                math.floor(node.gpus + EPSILON) * each_gpu if each_gpu else _fit(node.gpus, self.gpus)
            )
        if self.memory_bytes:
            limits.append(_fit(node.memory_bytes, self.memory_bytes))
        return min(limits)

    def fits_cluster(self, runtime: RayRuntime) -> int:
        """How many find room on all nodes together."""
        return sum(self.fits(node) for node in runtime.nodes)

    def cpus_left(self, runtime: RayRuntime, actors: int) -> list[float]:
        """CPUs that each node has left when the actors fill one node after the other."""
        left = []
        for node in runtime.nodes:
            here = min(actors, self.fits(node))
            actors -= here
            left.append(node.cpus - here * self.cpus)
        return left


def decide_resources(runtime: RayRuntime, run: RunSettings, planned: int) -> Resources:
    """The run's resources, or a ClusterError that says what the cluster lacks for the settings."""
    device = ("cuda" if runtime.gpus else "cpu") if run.device == "auto" else run.device
    gpus = run.gpus_per_actor if device == "cuda" else 0.0
    cpus = run.cpus_per_actor or _choose_cpus(runtime, run, gpus)
    actors = run.actors or min(_choose_actors(runtime, ActorShape(cpus, gpus)), run.max_actors or sys.maxsize)
    max_actors = max(actors, run.max_actors or actors)
    shape = ActorShape(cpus, gpus, _memory_bytes(runtime, run, ActorShape(cpus, gpus), actors))
    lacking = find_lacking(runtime, shape, actors)
    if lacking and not run.autoscaling:
        raise ClusterError(
            f"{actors} label actor(s) on {device} with {_describe(shape)} each, and {OTHER_CPUS:g} CPU to fetch, decode "
            f"and write with, need more than the cluster has: {', '.join(lacking)}. Lower run.actors, run.cpus_per_actor, "
            "run.gpus_per_actor or run.memory_per_actor_gib, set run.device = 'cpu', add nodes, "
            "or set run.autoscaling = true where the cluster adds them itself"
        )
    left = max(FETCH_CPUS + DECODE_CPUS, runtime.cpus - actors * cpus - WRITE_CPUS)
    slots = max(1, _fit(left, FETCH_CPUS + DECODE_CPUS))
    rows_per_block = run.rows_per_block or _choose_rows(run, planned, max_actors)
    return Resources(
        device=device,
        actors=actors,
        max_actors=max_actors,
        cpus_per_actor=cpus,
        gpus_per_actor=gpus,
        memory_per_actor_bytes=shape.memory_bytes,
        threads_per_actor=run.threads_per_actor or _choose_threads(runtime, cpus, actors),
        fetch_slots=run.fetch_slots or slots,
        decode_slots=run.decode_slots or slots,
        batch_size=run.batch_size or min(GPU_BATCH if device == "cuda" else CPU_BATCH, rows_per_block),
        rows_per_block=rows_per_block,
    )


def find_lacking(runtime: RayRuntime, shape: ActorShape, actors: int) -> list[str]:
    """What the cluster has too little of for the actors and one task of each other stage; empty if it has enough."""
    wanted = {
        "CPU": (actors * shape.cpus + OTHER_CPUS, runtime.cpus),
        "GPU": (actors * shape.gpus, runtime.gpus),
        "GiB memory": (actors * shape.memory_bytes / GIB, runtime.memory_bytes / GIB),
    }
    lacking = [
        f"{need:g} {name} (it has {has:.3g})" for name, (need, has) in wanted.items() if need > has + EPSILON
    ]
    if lacking:
        return lacking
    if (room := shape.fits_cluster(runtime)) < actors:
        return [f"a node with {_describe(shape)} free for each of them (it has room for {room})"]
    if (largest := max(shape.cpus_left(runtime, actors))) < DECODE_CPUS - EPSILON:
        return [f"{DECODE_CPUS:g} CPU on one node to decode with (it has {largest:.3g} left)"]
    return []


def say_shortfalls(runtime: RayRuntime, resources: Resources) -> list[str]:
    """A sentence for each thing that the run does without or waits for, before it starts."""
    shape = ActorShape(resources.cpus_per_actor, resources.gpus_per_actor, resources.memory_per_actor_bytes)
    said = []
    if lacking := find_lacking(runtime, shape, resources.actors):
        said.append(f"the cluster must grow first: the run needs {', '.join(lacking)}")
    idle = runtime.gpus - resources.max_actors * resources.gpus_per_actor
    if runtime.gpus and idle >= 1 - EPSILON:
        said.append(
            f"{idle:.3g} of {runtime.gpus:g} GPUs stay idle; "
            + (
                "CPUs are too few for more actors, or run.actors is set lower"
                if resources.gpus_per_actor
                else f"run.device is {resources.device}"
            )
        )
    return said


def _choose_cpus(runtime: RayRuntime, run: RunSettings, gpus: float) -> float:
    """CPUs of a label actor where none are set."""
    if gpus:  # the most with which no GPU stays idle for want of a CPU
        wanted = run.actors or ActorShape(GPU_ACTOR_CPUS[-1], gpus).fits_cluster(runtime)
        for cpus in GPU_ACTOR_CPUS:
            if not find_lacking(runtime, ActorShape(cpus, gpus), wanted):
                return cpus
        return GPU_ACTOR_CPUS[0] if run.autoscaling else GPU_ACTOR_CPUS[-1]
    if runtime.embedded:
        return 1.0  # logical; its threads are the machine's cores
    sizes = [node.cpus for node in runtime.nodes if node.cpus >= 1]
    smallest = min(sizes, default=1.0)
    if run.actors:
        return max(1.0, float(min(math.floor(smallest), _fit(runtime.cpus * CPU_ACTOR_SHARE, run.actors))))
    return max(1.0, float(math.floor(smallest * CPU_ACTOR_SHARE)))


def _choose_actors(runtime: RayRuntime, shape: ActorShape) -> int:
    """Label actors where none are set: one for each GPU or its fraction, and CPUs must be left for the other stages."""
    if not shape.gpus and runtime.embedded:
        return 1
    room = shape.fits_cluster(runtime)
    share = (
        runtime.cpus - OTHER_CPUS
        if shape.gpus
        else min(runtime.cpus * CPU_ACTOR_SHARE, runtime.cpus - OTHER_CPUS)
    )
    actors = max(1, min(room, _fit(max(0.0, share), shape.cpus)))
    while actors > 1 and find_lacking(runtime, shape, actors):
        actors -= 1
    return actors


def _choose_rows(run: RunSettings, planned: int, actors: int) -> int:
    """Images in a block where none are set: enough blocks for every actor, and a whole batch in each."""
    wanted = math.ceil(planned / (actors * WAVES))
    return max(min(wanted, LARGEST_BLOCK), SMALLEST_BLOCK, run.batch_size or 0)


def _choose_threads(runtime: RayRuntime, cpus: float, actors: int) -> int:
    """Torch threads of a label actor: of the machine's cores if it is this one, else the CPUs that Ray reserves."""
    return max(1, (os.cpu_count() or 1) // actors) if runtime.embedded else max(1, math.floor(cpus + EPSILON))


def _memory_bytes(runtime: RayRuntime, run: RunSettings, shape: ActorShape, actors: int) -> int:
    """The setting, or ACTOR_GIB where each node has so much for its actors and as much again for the rest."""
    if run.memory_per_actor_gib is not None:
        return int(run.memory_per_actor_gib * GIB)
    generous = ActorShape(shape.cpus, shape.gpus, int(2 * ACTOR_GIB * GIB))
    affordable = run.autoscaling or generous.fits_cluster(runtime) >= actors
    return int(ACTOR_GIB * GIB) if affordable else 0


def _describe(shape: ActorShape) -> str:
    memory = f" and {shape.memory_bytes / GIB:g} GiB" if shape.memory_bytes else ""
    return f"{shape.cpus:g} CPU, {shape.gpus:g} GPU{memory}"


def _fit(amount: float, each: float) -> int:
    """How often a share fits, forgiving rounding."""
    return math.floor(amount / each + EPSILON)

"""What a run does without or waits for, reported before it starts."""

from laketag.pipeline.cluster.actor_shape import EPSILON, find_lacking
from laketag.pipeline.cluster.ray_runtime import RayRuntime
from laketag.pipeline.cluster.resources import ACTOR_GIB, Resources
from laketag.pipeline.config import RunSettings


def describe_shortfalls(runtime: RayRuntime, settings: RunSettings, resources: Resources) -> list[str]:
    """A sentence for each thing that the run does without or waits for."""
    has, free, shape = runtime.total, runtime.free, resources.shape
    sentences = []
    if lacking := find_lacking(runtime.nodes, shape, resources.actors):
        sentences.append(f"the cluster must grow first: the run needs {', '.join(lacking)}")
    elif resources.actors * shape.gpus > free.gpus + EPSILON:
        sentences.append(
            f"other jobs hold {has.gpus - free.gpus:.3g} of {has.gpus:g} GPUs now; label actors wait for them"
        )
    elif resources.actors * shape.cpus > free.cpus + EPSILON:
        sentences.append(
            f"other jobs hold {has.cpus - free.cpus:.3g} of {has.cpus:g} CPUs now; label actors wait for them"
        )
    used_gpus = resources.max_actors * resources.gpus_per_actor
    if has.gpus and has.gpus - used_gpus >= 1 - EPSILON:
        idle = f"{has.gpus - used_gpus:.3g} of {has.gpus:g} GPUs stay idle"
        sentences.append(f"{idle}; {_why_idle(settings, resources)}")
    if resources.decode_slots < used_gpus - EPSILON:
        sentences.append(
            f"only {resources.decode_slots} images are decoded at once for {used_gpus:g} "
            "GPUs, which may wait for them; add CPU nodes"
        )
    if not (
        runtime.embedded or settings.memory_per_actor_gib is not None or resources.memory_per_actor_bytes
    ):
        sentences.append(
            f"no memory is reserved for label actors, as the nodes have less than {2 * ACTOR_GIB:g} GiB for each; "
            "set fewer of them (run.actors) or use larger nodes, so that none runs out of memory"
        )
    return sentences


def _why_idle(settings: RunSettings, resources: Resources) -> str:
    if not resources.gpus_per_actor:
        return f"run.device is {resources.device}"
    if settings.max_actors or settings.actors:
        return f"run.{'max_actors' if settings.max_actors else 'actors'} is set lower"
    return "CPUs are too few for more actors"

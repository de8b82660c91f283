"""What a run does without or waits for, said before it starts."""

from laketag.pipeline.cluster.actor_shape import EPSILON, find_lacking
from laketag.pipeline.cluster.ray_runtime import RayRuntime
from laketag.pipeline.cluster.resources import ACTOR_GIB, Resources
from laketag.pipeline.config import RunSettings


def say_shortfalls(runtime: RayRuntime, run: RunSettings, resources: Resources) -> list[str]:
    """A sentence for each thing that the run does without or waits for."""
    has, free, shape = runtime.total, runtime.free, resources.shape
    said = []
    if lacking := find_lacking(runtime.nodes, shape, resources.actors):
        said.append(f"the cluster must grow first: the run needs {', '.join(lacking)}")
    elif resources.actors * shape.gpus > free.gpus + EPSILON:
        said.append(
            f"other jobs hold {has.gpus - free.gpus:.3g} of {has.gpus:g} GPUs now; label actors wait for them"
        )
    elif resources.actors * shape.cpus > free.cpus + EPSILON:
        said.append(
            f"other jobs hold {has.cpus - free.cpus:.3g} of {has.cpus:g} CPUs now; label actors wait for them"
        )
    idle = has.gpus - resources.max_actors * resources.gpus_per_actor
    if has.gpus and idle >= 1 - EPSILON:
        said.append(f"{idle:.3g} of {has.gpus:g} GPUs stay idle; {_why_idle(run, resources)}")
    if resources.decode_slots < resources.max_actors * resources.gpus_per_actor - EPSILON:
        said.append(
            f"only {resources.decode_slots} pictures are decoded at once for {resources.max_actors * resources.gpus_per_actor:g} "
            "GPUs, which may wait for them; add CPU nodes"
        )
    if not runtime.embedded and run.memory_per_actor_gib is None and not resources.memory_per_actor_bytes:
        said.append(
            f"no memory is reserved for label actors, as the nodes have less than {2 * ACTOR_GIB:g} GiB for each; "
            "with fewer of them (run.actors) or larger nodes none would run out of it"
        )
    return said


def _why_idle(run: RunSettings, resources: Resources) -> str:
    if not resources.gpus_per_actor:
        return f"run.device is {resources.device}"
    if run.max_actors or run.actors:
        return f"run.{'max_actors' if run.max_actors else 'actors'} is set lower"
    return "CPUs are too few for more actors"

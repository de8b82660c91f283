"""The label actors of the job that this process drives."""

from dataclasses import dataclass

CLASS = "MapWorker(MapBatches(LabelImages))"
"""Ray Data's name for the actors of laketag.pipeline.stages.label_images.LabelImages."""


@dataclass(frozen=True)
class LabelActors:
    """How many are alive, and how often Ray restarted one, including those that are dead now."""

    alive: int
    restarts: int


def count_label_actors() -> LabelActors:
    """The job's label actors now, as Ray's control store (GCS) lists them."""
    import ray
    from ray._private.state import actors  # ray.util.state asks the dashboard, which an embedded Ray has not

    job = ray.JobID.from_hex(ray.get_runtime_context().get_job_id())
    ours = [actor for actor in actors(job_id=job).values() if actor["ActorClassName"] == CLASS]
    return LabelActors(
        alive=sum(actor["State"] == "ALIVE" for actor in ours),
        restarts=sum(int(actor["NumRestarts"]) for actor in ours),
    )

"""The label actors of the job that this process drives, as Ray's control store knows them."""

from dataclasses import dataclass

CLASS = "MapWorker(MapBatches(LabelImages))"
"""How Ray Data calls the actors of laketag.pipeline.stages.LabelImages."""


@dataclass(frozen=True)
class LabelActors:
    """How many there are, and how often they had to be started again."""

    alive: int
    restarts: int


def count_label_actors() -> LabelActors:
    """The job's label actors now; restarts are those of dead ones too."""
    import ray
    from ray._private.state import actors  # ray.util.state asks the dashboard, which an embedded Ray has not

    job = ray.JobID.from_hex(ray.get_runtime_context().get_job_id())
    ours = [actor for actor in actors(job_id=job).values() if actor["ActorClassName"] == CLASS]
    return LabelActors(
        alive=sum(actor["State"] == "ALIVE" for actor in ours),
        restarts=sum(int(actor["NumRestarts"]) for actor in ours),
    )

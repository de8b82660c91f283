"""The settings of a run's resources."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from laketag.pipeline.config.section import Section

EmbeddingFormat = Literal["fp32", "fp16", "int8"]
"""In which numbers embeddings are kept."""
Keep = Literal["scores", "embeddings=fp16", "embeddings=fp32", "embeddings=int8"]


def complete_keep(keep: Any) -> Any:
    """What is to be kept, each once and by its full name: ``embeddings`` alone is ``embeddings=fp16``."""
    if not isinstance(keep, list | tuple):
        return keep
    return tuple(dict.fromkeys("embeddings=fp16" if one == "embeddings" else one for one in keep))


def check_keep(keep: tuple[Keep, ...]) -> tuple[Keep, ...]:
    """The same, if embeddings are kept in one format at most."""
    if len(formats := [one for one in keep if one.startswith("embeddings")]) > 1:
        raise ValueError(f"keep names {' and '.join(formats)}; keep embeddings in one format")
    return keep


Keeping = Annotated[tuple[Keep, ...], BeforeValidator(complete_keep), AfterValidator(check_keep)]
"""What a run keeps beside its labels."""


class RunSettings(Section):
    """Resources and limits of a labelling run; none of them changes a label."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """auto: cuda if the cluster has GPUs"""
    actors: int | None = Field(None, ge=1)
    """number of label actors; unset: as many as the GPUs allow, or one without GPUs"""
    max_actors: int | None = Field(None, ge=1)
    """size to which the pool of label actors may grow; unset: it does not grow"""
    autoscaling: bool = False
    """the cluster adds nodes on demand: request max_actors at once and wait for their nodes; needs device and max_actors"""
    gpus_per_actor: float = Field(1.0, gt=0)
    """GPUs per label actor; with a fraction several actors share one GPU"""
    cpus_per_actor: float | None = Field(None, gt=0)
    """CPUs that Ray reserves per label actor; unset: chosen to fit the nodes, 1 on a single machine"""
    memory_per_actor_gib: float | None = Field(None, ge=0)
    """memory that Ray reserves per label actor; unset: 2 where the cluster has it"""
    threads_per_actor: int | None = Field(None, ge=1)
    """torch threads per label actor on a CPU; unset: the machine's cores divided by the actors"""
    fetch_slots: int | None = Field(None, ge=1)
    """number of fetch tasks at once; unset: as the CPUs allow"""
    decode_slots: int | None = Field(None, ge=1)
    """number of decode tasks at once; unset: as the CPUs allow"""
    batch_size: int | None = Field(None, ge=1, le=4096)
    """number of images per call of a label actor; unset: 32 on a GPU, 8 on a CPU"""
    views_per_pass: int = Field(256, ge=1)
    """number of crops per forward pass of the image tower; bounds device memory"""
    rows_per_block: int | None = Field(None, ge=1, le=65536)
    """number of images per fetch and decode task; unset: up to 128 on a GPU and 16 on a CPU, fewer in small runs"""
    rows_per_file: int = Field(100_000, ge=1)
    """maximum number of rows per published Parquet file"""
    keep: Keeping = ()
    """what a run also keeps, in tables of their own: scores (2 bytes a class), embeddings=fp16, fp32 or int8 (to label from)"""
    max_failed_fraction: float = Field(0.5, gt=0, le=1)
    """stop the run when a larger fraction of its images fails for one reason; 1: never"""
    failed_images_before_stop: int = Field(200, ge=1)
    """minimum number of images that failed for one reason before a run is stopped"""
    price_per_hour: float | None = Field(None, ge=0)
    """what a run's machines cost in an hour, in any currency; estimates and finished runs then name the cost too"""
    missing_nodes_s: float = Field(120.0, gt=0)
    """continue with fewer label actors when nodes have been missing for this long; not with autoscaling"""
    stall_s: float = Field(1800.0, gt=0)
    """start the execution again after this long without progress; not with autoscaling, where a run waits for nodes"""

    @model_validator(mode="after")
    def _check(self) -> "RunSettings":
        if self.gpus_per_actor > 1 and self.gpus_per_actor % 1:
            raise ValueError(
                f"gpus_per_actor {self.gpus_per_actor} is neither a fraction of one GPU nor a whole number; use one of these"
            )
        if self.actors and self.max_actors and self.max_actors < self.actors:
            raise ValueError(
                f"max_actors {self.max_actors} is under actors {self.actors}; raise it or leave it out"
            )
        if self.autoscaling and (self.max_actors is None or self.device == "auto"):
            raise ValueError(
                "autoscaling = true needs max_actors, how far the pool may grow, and device = 'cuda' or 'cpu', "
                "because neither can be seen before the nodes have joined; set both"
            )
        if self.batch_size and self.rows_per_block and self.batch_size > self.rows_per_block:
            raise ValueError(
                f"batch_size {self.batch_size} is over rows_per_block {self.rows_per_block}; "
                "a call never gets more than one block: raise rows_per_block or leave it out"
            )
        return self

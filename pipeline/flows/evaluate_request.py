"""What an evaluation is asked to do."""

from dataclasses import dataclass, field
from pathlib import Path

from laketag.pipeline.cluster.work_stop import WorkStop


@dataclass(frozen=True, kw_only=True)
class EvaluateRequest:
    """What to evaluate, and with what to compare it."""

    collection: str
    description_set: str
    methods: tuple[str, ...]
    seeds: int
    descriptors: str | None = None
    """The description set that CLIP-D reads."""
    varies_descriptions: bool = False
    """Whether methods that read descriptions are compared with each variant of these (laketag.pipeline.flows.varied_texts)."""
    benchmark: str | None = None
    published: Path | None = None
    leave_out_unknown: bool = False
    stop: WorkStop = field(default_factory=WorkStop, compare=False)

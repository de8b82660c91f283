"""A job of a fake dashboard: how it goes, and what its log's connections go through."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class End:
    """The job ends."""

    status: str = "SUCCEEDED"
    code: int | None = 0


@dataclass(frozen=True)
class Outage:
    """The connection breaks, and nothing is answered for a while; with a status the connection stands, and that is answered."""

    seconds: float
    status: int | None = None


@dataclass(frozen=True)
class Drop:
    """The connection breaks."""


@dataclass(frozen=True)
class Refuse:
    """No websocket is made."""

    status: int


Step = str | float | End | Outage | Drop | Refuse
"""A string is sent, a number are seconds of silence."""


@dataclass
class FakeJob:
    """What becomes of it, by the steps of each connection to its log in turn; the last ones stand for all later ones."""

    tails: list[list[Step]] = field(default_factory=lambda: [[End()]])
    status: str = "RUNNING"
    code: int | None = None
    log: str = ""
    """What is answered to who asks for all of it."""
    ends_when_asked: int = 0
    """It ends by itself after so many looks; 0: never."""
    asked: int = 0
    connections: int = 0
    out_until: float = 0.0
    out_status: int | None = None


def details(job_id: str, **more: object) -> dict[str, Any]:
    """A job as the Jobs API tells of it: one of laketag's, unless more says otherwise."""
    ours = {"laketag": "0", "command": "laketag query runs --root s3://b/lake"}
    known = {"type": "SUBMISSION", "submission_id": job_id, "entrypoint": "python", "status": "RUNNING"}
    return known | {"metadata": ours, "start_time": 1_700_000_000_000} | more

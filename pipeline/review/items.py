"""An image to be reviewed, and what a file says that somebody has decided."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from laketag.schemas import NONE_OF_THESE


@dataclass(frozen=True, kw_only=True)
class ReviewItem:
    """An image with the label that a person should look at."""

    image_id: str
    uri: str
    etag: str
    link: str
    """Where the tool finds the image: a path or a URL, which may be signed."""
    label: str
    probability: float
    margin: float
    tags: tuple[tuple[str, float], ...]
    """The most probable classes with their probabilities, the label first."""
    box: tuple[float, float, float, float]
    """The evidence: x, y, width and height as fractions of the upright image, from its upper left corner."""
    size_px: tuple[int, int]
    """Width and height of the upright image."""
    description: str
    """The sentence that spoke most for the label."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What the images and classes of a file are."""

    collection: str
    description_set: str
    class_names: tuple[str, ...] = ()
    classifier: str = ""


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """What a file says that somebody has decided about one image."""

    place: str
    """Where the file says it."""
    image_id: str
    """Empty if the file names the image by its URI."""
    uri: str
    etag: str
    """The version that was looked at; empty if the file does not say."""
    classes: tuple[str, ...]
    """The classes, or NONE_OF_THESE; a decision is one, and more contradict each other."""
    decided_by: str = ""
    decided_at: datetime | None = None
    collection: str = ""
    description_set: str = ""


@dataclass(frozen=True)
class ReadFile:
    """The proposals of a file, and how many of its images nobody has decided."""

    proposals: Sequence[Proposal]
    undecided: int


def read_class(name: object) -> str:
    """The class as the file spells it, or NONE_OF_THESE however that is spelled."""
    text = str(name).strip()
    return NONE_OF_THESE if text.casefold().replace("_", " ") == NONE_OF_THESE else text


def read_time(value: Any) -> datetime | None:
    """The ISO 8601 time, UTC if it names no zone; None if it is none."""
    try:
        time = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)

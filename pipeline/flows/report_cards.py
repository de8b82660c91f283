"""The pictures of a report, and what is written and drawn beside and on each."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from laketag.pipeline.flows.shown_images import Shown
from laketag.pipeline.lake.decided_rows import DECISION
from laketag.pipeline.store.locations import hide_secrets
from laketag.schemas import NONE_OF_THESE

MOST_WORDS = 2_000
"""Characters of a card in which the page's text filter searches."""


@dataclass(frozen=True)
class Picture:
    """A picture that the file holds once, in the pixels of the whole image."""

    href: str
    width: int
    height: int


@dataclass(frozen=True, kw_only=True)
class Card:
    """An image as the page shows it; what is not known is None."""

    name: str
    label: str | None
    probability: float | None
    margin: float | None
    calibrated: float | None
    second: tuple[str, float] | None
    best: tuple[str, float | None] | None
    """Of an image that has abstained, the class with the highest score."""
    decided: bool
    """Whether a person has decided the label."""
    predicted: str | None
    """What the classifier has said, where that is another label."""
    accepted: str | None
    """All classes that the calibration accepts, unless it accepts the label alone; None without a calibration."""
    description: str | None
    true_class: str | None
    before: str | None
    """The label of the run that is compared with, if it was another one."""
    failure: str | None
    detail: str | None
    width: int
    height: int
    box: tuple[int, int, int, int] | None
    """x, y, width, height."""
    picture: int | None
    """The number of the picture."""
    missing: str
    """Why there is none."""
    words: str


@dataclass
class Album:
    """Cards by image id; each picture is in ``pictures`` once."""

    folder: str = ""
    """What the names of all images begin with; cards leave it out."""
    pictures: list[Picture] = field(default_factory=list)
    cards: dict[str, Card] = field(default_factory=dict)

    def add(self, row: dict[str, Any], shown: Shown | None) -> None:
        """The row (of ReportFacts.shown) has a card, with its picture if it could be read."""
        width, height = row["width_px"] or 1, row["height_px"] or 1
        picture = None
        if shown and shown.webp:
            picture = self.add_picture(shown.webp, width, height)
        tags, evidence = row["tags"] or [], row["evidence"]
        name = self.name(row)
        is_none, is_decided = row["label"] == NONE_OF_THESE, row["source"] == DECISION
        accepted = row["accepted"] and [one["label"] for one in row["accepted"]]
        description = evidence["description"] if evidence else None
        words = (
            hide_secrets(row["uri"]),
            row["label"],
            row["predicted"],
            row["true_class"],
            description,
            row["failure"],
            row["failure_detail"],
        )
        self.cards[row["image_id"]] = Card(
            name=name,
            label=row["label"],
            probability=row["probability"],
            margin=row["margin"],
            calibrated=row["calibrated_probability"],
            second=(tags[1]["label"], tags[1]["probability"]) if len(tags) > 1 and not is_none else None,
            best=(tags[0]["label"], tags[0]["probability"]) if tags and is_none else None,
            decided=is_decided,
            predicted=row["predicted"] if row["predicted"] != row["label"] else None,
            accepted=None if is_decided or accepted in (None, [], [row["label"]]) else ", ".join(accepted),
            description=description,
            true_class=row["true_class"],
            before=row["before"] if row["before"] != row["label"] else None,
            failure=row["failure"],
            detail=row["failure_detail"],
            width=width,
            height=height,
            box=_box(evidence) if evidence else None,
            picture=picture,
            missing=_why_missing(row, shown),
            words=" ".join(word for word in words if word).lower()[:MOST_WORDS],
        )

    def name(self, row: dict[str, Any]) -> str:
        """The URI of the row's image as the page shows it: without secrets and the common folder."""
        return hide_secrets(row["uri"]).removeprefix(self.folder)

    def add_picture(self, webp: bytes, width: int, height: int) -> int:
        """The number of the picture."""
        href = f"data:image/webp;base64,{base64.b64encode(webp).decode()}"
        self.pictures.append(Picture(href, width, height))
        return len(self.pictures) - 1

    def of(self, image_ids: Iterable[str]) -> list[Card]:
        """The cards of these images, in this order."""
        return [self.cards[image_id] for image_id in image_ids if image_id in self.cards]


def fill_album(rows: pl.DataFrame, shown: Mapping[str, Shown]) -> Album:
    """Cards of the rows (of ReportFacts.shown), with the pictures that could be read."""
    album = Album(find_folder([hide_secrets(uri) for uri in rows["uri"]]))
    for row in rows.iter_rows(named=True):
        album.add(row, shown.get(row["image_id"]))
    return album


def find_folder(names: Sequence[str]) -> str:
    """The longest folder that all of the names are below, with its last slash; empty if there is none."""
    first, last = min(names, default=""), max(names, default="")  # what these share, all between them share
    same = next((at for at, (one, other) in enumerate(zip(first, last, strict=False)) if one != other), 0)
    return first[: first[:same].rfind("/") + 1] if first != last else ""


def _box(evidence: dict[str, Any]) -> tuple[int, int, int, int]:
    x0, y0 = evidence["x0_px"], evidence["y0_px"]
    return x0, y0, evidence["x1_px"] - x0, evidence["y1_px"] - y0


def _why_missing(row: dict[str, Any], shown: Shown | None) -> str:
    if row["failure"]:
        return str(row["failure"]).replace("_", " ")
    if shown is None or shown.failure is None:
        return "not read"
    return f"can no longer be read: {shown.failure.replace('_', ' ')}"

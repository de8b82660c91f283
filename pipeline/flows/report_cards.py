"""The pictures of a report, and what is written and drawn beside and on each."""

import base64
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from laketag.pipeline.flows.shown_images import Shown
from laketag.pipeline.lake.decided_rows import DECISION
from laketag.pipeline.pages.wording import percent
from laketag.pipeline.reporting.charts import attention_cells
from laketag.pipeline.store.locations import hide_secrets
from laketag.schemas import NONE_OF_THESE

TEXTS_OF_A_STORY = 12
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


def tell(album: Album, row: dict[str, Any], shown: Shown) -> dict[str, Any] | None:
    """What the template draws of a story; None if the image could not be read."""
    if shown.webp is None or shown.story is None:
        return None
    story, width, height = json.loads(shown.story), row["width_px"], row["height_px"]

    def pixels(box: list[float]) -> dict[str, float]:
        x0, y0, x1, y1 = (round(edge * side, 1) for edge, side in zip(box, (width, height) * 2, strict=True))
        return {"x": x0, "y": y0, "width": round(x1 - x0, 1), "height": round(y1 - y0, 1)}

    views = story["views"]
    texts = Counter((view["text"], view["class_name"]) for view in views)
    numbers = {text: number for number, (text, _) in enumerate(texts.most_common())}
    attended = story["attended"]
    attention = story["attention"] and attention_cells(
        story["attention"],
        (attended[0] * width, attended[1] * height, attended[2] * width, attended[3] * height),
    )
    evidence = pixels(story["evidence"])
    raw = len(views) - story["feature_crops"]
    notice = None
    if story["label"] != row["predicted"]:
        notice = f"The run labelled it as {row['predicted']}: a near tie, and numbers differ a little from device to device."
    # the tags of a decided image are not those of the classifier, which the standard scores belong to
    has_standard_scores = row["tag_scores"] is not None and row["source"] != DECISION
    standard = _standard_scores(row) if has_standard_scores else {}
    return {
        "name": album.name(row),
        "label": story["label"],
        "true_class": row["true_class"],
        "probability": story["probability"],
        "picture": album.add_picture(shown.webp, width, height),
        "width": width,
        "height": height,
        "line": max(width, height) / 260,
        "box": (evidence["x"], evidence["y"], evidence["width"], evidence["height"]),
        "crops": [
            pixels(view["box"])
            | {
                "kind": "feature" if number < story["feature_crops"] else "raw",
                "text": numbers[(view["text"], view["class_name"])],
            }
            for number, view in enumerate(views)
        ],
        "crops_words": _count_crops(story["feature_crops"], raw)
        if attention
        else "It looked once, at the whole image.",
        "attention": attention,
        "scores": [one | {"standard_score": standard.get(one["name"])} for one in story["classes"]],
        "has_standard_scores": has_standard_scores,
        "outcome": _tell_outcome(row),
        "texts": [
            {"text": text, "class_name": name, "crops": crops, "number": numbers[(text, name)]}
            for (text, name), crops in texts.most_common(TEXTS_OF_A_STORY)
        ],
        "more_texts": max(0, len(texts) - TEXTS_OF_A_STORY),
        "notice": notice,
    }


def _standard_scores(row: dict[str, Any]) -> dict[str, float]:
    """By class, of the tags and of all accepted classes."""
    tags = zip(row["tags"], row["tag_scores"], strict=True)
    return {tag["label"]: score for tag, score in tags} | {
        one["label"]: one["score"] for one in row["accepted"]
    }


def _tell_outcome(row: dict[str, Any]) -> str:
    """What became of the class with the highest score; empty if that is simply the label."""
    found = []
    if row["abstained"]:
        found.append("The calibration accepts no class.")
    elif row["accepted"]:
        found.append(f"The calibration accepts: {', '.join(one['label'] for one in row['accepted'])}.")
    if row["calibrated_probability"] is not None:
        found.append(f"Calibrated probability of the label: {percent(row['calibrated_probability'], 1)}.")
    if row["source"] == DECISION:
        found.append(f"A person has decided: {row['label']}.")
    return " ".join(found)


def _count_crops(features: int, raw: int) -> str:
    kinds = [f"{raw} of the pixels"] if raw else []
    kinds += [f"{features} of the features (dashed)"] if features else []
    return f"Crops: {' and '.join(kinds)}. The yellow box is the crop that spoke most for the label."


def _box(evidence: dict[str, Any]) -> tuple[int, int, int, int]:
    x0, y0 = evidence["x0_px"], evidence["y0_px"]
    return x0, y0, evidence["x1_px"] - x0, evidence["y1_px"] - y0


def _why_missing(row: dict[str, Any], shown: Shown | None) -> str:
    if row["failure"]:
        return str(row["failure"]).replace("_", " ")
    if shown is None or shown.failure is None:
        return "not read"
    return f"can no longer be read: {shown.failure.replace('_', ' ')}"

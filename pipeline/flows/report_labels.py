"""What the labels of a report are: its classes with their sheets, what has changed, and how they agree with true classes."""

from typing import Any

from laketag.pipeline.flows.report_cards import Album
from laketag.pipeline.flows.report_facts import ReportFacts
from laketag.pipeline.pages.wording import count, moment
from laketag.pipeline.reporting.charts import histogram, reliability
from laketag.pipeline.reporting.choices import SHEETS, Limits
from laketag.pipeline.reporting.confusion import confusion_matrix
from laketag.schemas import NONE_OF_THESE

TITLES = {"certain": "most certain", "typical": "typical", "doubtful": "most doubtful"}
HEATS = 4


def show_labels(facts: ReportFacts, album: Album, limits: Limits) -> dict[str, Any]:
    """What the template shows of the labels."""
    truth = _truth(facts, limits)
    classes = _classes(facts, album, truth, limits)
    return {
        "classes": classes,
        "hidden_classes": facts.counts.classes.height - len(classes),
        "histogram": histogram(facts.counts.probabilities),
        "lowest": album.of(facts.choices.lowest),
        "pairs": _pairs(facts, album, limits),
        "changes": _changes(facts, album),
        "truth": truth,
    }


def _classes(
    facts: ReportFacts, album: Album, truth: dict[str, Any] | None, limits: Limits
) -> list[dict[str, Any]]:
    rows = facts.counts.classes.head(limits.listed_classes)
    most = max(rows["images"].to_list(), default=1)
    found = []
    for number, (name, images, mean) in enumerate(
        rows.select("label", "images", "mean_probability").iter_rows()
    ):
        sheets = facts.choices.sheets.get(name)
        sheet = sheets and [(TITLES[one], album.of(sheets[one])) for one in SHEETS]
        if sheets and name == NONE_OF_THESE:  # no probability puts them in an order
            sheet = [("some of them", album.of(image_id for one in SHEETS for image_id in sheets[one]))]
        recall, precision = truth["classes"].get(name, (None, None)) if truth else (None, None)
        found.append(
            {
                "number": number,
                "name": name,
                "images": images,
                "share": images / most,
                "mean_probability": mean,
                "recall": recall,
                "precision": precision,
                "sheet": sheet,
            }
        )
    return found


def _pairs(facts: ReportFacts, album: Album, limits: Limits) -> list[dict[str, Any]]:
    return [
        {
            "one": one,
            "other": other,
            "mass": mass,
            "images": images,
            "cards": album.of(facts.choices.pairs[one, other]),
        }
        for one, other, mass, images in facts.counts.pairs.head(limits.pairs).iter_rows()
        if (one, other) in facts.choices.pairs
    ]


def _changes(facts: ReportFacts, album: Album) -> dict[str, Any] | None:
    changes, against = facts.changes, facts.against
    if changes is None or against is None:
        return None
    is_other = against["classifier"] != facts.run["classifier"]
    if not (is_other or changes.moved or changes.gained or changes.lost):
        return None
    tiles = [
        (count(changes.same), "the same label", ""),
        (count(changes.moved), "another label", "doubt" if changes.moved else ""),
        (count(changes.gained), "labelled now, failed before", ""),
        (count(changes.lost), "failed now, labelled before", "bad" if changes.lost else ""),
    ]
    if changes.new_version:
        tiles.append((count(changes.new_version), "changed content", ""))
    if changes.known:
        now, before = changes.right_now / changes.known, changes.right_before / changes.known
        kind = "good" if now > before else "bad" if now < before else ""
        tiles.append((f"{before:.1%} → {now:.1%}", f"right, of {changes.known:,} known", kind))
    what = f"classifier {against['classifier']} ({against['method']})" if is_other else "the run before"
    return {
        "since": f"{what}, {moment(against['finished_at'])} UTC, on the {changes.images:,} images that both have",
        "tiles": [dict(zip(("value", "name", "kind"), tile, strict=True)) for tile in tiles],
        "moves": [
            {"before": before, "now": now, "images": images, "cards": album.of(changes.examples[before, now])}
            for before, now, images in changes.moves.iter_rows()
            if (before, now) in changes.examples
        ],
    }


def _truth(facts: ReportFacts, limits: Limits) -> dict[str, Any] | None:
    counts = facts.counts
    if not counts.known:
        return None
    confusion = confusion_matrix(counts.truths, limits.matrix_classes)
    rows = []
    for name, cells in zip(confusion.names, confusion.rows, strict=True):
        whole = sum(cells) or 1
        rows.append(
            {
                "name": name,
                "cells": [
                    {
                        "images": images,
                        "heat": min(HEATS, -(-HEATS * images // whole)),
                        "right": label == name,
                    }
                    for label, images in zip(confusion.names, cells, strict=True)
                ],
            }
        )
    right = int(counts.classes["right"].sum())
    left = f" {confusion.left_out:,} images of other classes are not in it." if confusion.left_out else ""
    return {
        "words": f"{right:,} of {counts.known:,} labels are the true class of the image: {right / counts.known:.1%}.",
        "caption": f"True classes down, labels across; the classes with the most wrong images.{left}",
        "names": confusion.names,
        "rows": rows,
        "classes": confusion.classes,
        "reliability": reliability(counts.probabilities),
    }

"""A report's facts and pictures as one page."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import polars as pl

from laketag.pipeline.config import Settings
from laketag.pipeline.flows.report_cards import Album
from laketag.pipeline.flows.report_facts import ReportFacts
from laketag.pipeline.lake.current_rows import REMOVED, STALE
from laketag.pipeline.pages.page import Page, render_page
from laketag.pipeline.pages.wording import count, figure, moment, percent
from laketag.pipeline.progress.estimate import Estimate
from laketag.pipeline.reporting.charts import histogram, ledger_parts, rate_chart, reliability
from laketag.pipeline.reporting.choices import SHEETS, Limits
from laketag.pipeline.reporting.confusion import confusion_matrix
from laketag.pipeline.reporting.failure_advice import ADVICE
from laketag.pipeline.store.locations import hide_secrets
from laketag.pipeline.version import laketag_version

TITLES = {"certain": "most certain", "typical": "typical", "doubtful": "most doubtful"}
HEATS = 4
MILLION = 1_000_000


def make_page(
    facts: ReportFacts,
    album: Album,
    stories: Sequence[dict[str, Any]],
    settings: Settings,
    limits: Limits,
) -> Page:
    """The page of these facts, with the pictures and stories."""
    truth = _truth(facts, limits)
    changes = _changes(facts, album)
    pairs = [
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
    gallery = list(album.cards.values())
    ledger, total = _ledger(facts)
    sections = {
        "run": "The run",
        "classes": "Classes",
        "doubtful": "In doubt",
        "changes": "What changed" if changes else "",
        "truth": "True classes" if truth else "",
        "stories": "Stories" if stories else "",
        "images": "All images",
    }
    classes = _classes(facts, album, truth, limits)
    content = {
        "collection": facts.run["collection"],
        "description_set": facts.run["description_set"],
        "root": hide_secrets(facts.lake.root),
        "scope": _scope(facts),
        "folder": album.folder,
        "tiles": _tiles(facts, settings),
        "notices": facts.notices,
        "sections": [(name, title) for name, title in sections.items() if title],
        "ledger": ledger,
        "total": total,
        "rates": rate_chart(facts.rates),
        "stages": _stages(facts.run),
        "failures": _failures(facts, album),
        "runs": [_run(run, facts) for run in facts.runs],
        "about": _about(facts),
        "classes": classes,
        "hidden_classes": facts.counts.classes.height - len(classes),
        "histogram": histogram(facts.counts.probabilities),
        "lowest": album.of(facts.choices.lowest),
        "pairs": pairs,
        "changes": changes,
        "truth": truth,
        "stories": stories,
        "pictures": album.pictures,
        "gallery": gallery,
        "gallery_classes": sorted({card.label for card in gallery if card.label}),
        "made_at": datetime.now(UTC),
        "version": laketag_version(),
    }
    return render_page("report.html", content, styles=["report.css"], scripts=["report.js"])


def _scope(facts: ReportFacts) -> str:
    run = facts.run
    if facts.is_whole_run:
        return f"the rows of run {run['run_id']}, finished {moment(run['finished_at'])} UTC"
    return f"current labels; newest run finished {moment(run['finished_at'])} UTC"


def _tiles(facts: ReportFacts, settings: Settings) -> list[dict[str, Any]]:
    counts, run = facts.counts, facts.run
    failed = counts.failed
    found = [
        (count(counts.labelled), "images labelled", "", ""),
        (count(failed), "images failed", "bad" if failed else "good", ""),
        (
            percent(counts.mean_probability),
            "mean probability",
            "",
            f"{counts.classes.height:,} classes in use",
        ),
    ]
    if counts.known:
        found.append(
            (percent(counts.accuracy, 1), "labels are the true class", "", f"of {counts.known:,} known")
        )
    if run["images_per_s"]:
        price = settings.run.price_per_hour
        found.append((figure(run["images_per_s"]), "images a second", "", "of the newest run"))
        if price is None and run["cost_per_million"] is not None:
            found.append(
                (figure(run["cost_per_million"]), "cost of a million images", "", "at the run's price")
            )
            return [dict(zip(("value", "name", "kind", "note"), tile, strict=True)) for tile in found]
        estimate = Estimate(MILLION, run["images_per_s"], price)
        found.append(
            (figure(estimate.cost), "cost of a million images", "", f"at {price:g} an hour")
            if price is not None
            else (
                figure(estimate.seconds / 3600),
                "hours for a million images",
                "",
                "no price is set",
            )
        )
    return [dict(zip(("value", "name", "kind", "note"), tile, strict=True)) for tile in found]


def _ledger(facts: ReportFacts) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The parts of the bar, and the sum; of current labels every image of the index has a part, of a run each planned one."""
    outcomes, run = facts.counts.outcomes, facts.run
    is_failure, has_label = pl.col("failure").is_not_null(), pl.col("has_label")

    def images(*which: pl.Expr) -> int:
        return int(outcomes.filter(*which)["images"].sum())

    if facts.is_whole_run:
        parts = {
            "labelled": ("labelled", images(has_label)),
            "failed": ("failed", images(is_failure)),
            "forgotten since": ("pending", run["forgotten"] or 0),
        }
        return ledger_parts(parts), {"name": "planned by this run", "images": run["planned"]}
    present = pl.col("status") != REMOVED
    is_stale = pl.col("status") == STALE
    seen = images(present)
    total = seen if facts.index_images is None else facts.index_images
    parts = {
        "labelled": ("labelled", images(present, has_label, ~is_stale)),
        "labelled, changed since": ("stale", images(present, has_label, is_stale)),
        "of none of the classes": ("none", images(present, ~has_label, ~is_failure)),
        "failed": ("failed", images(present, is_failure)),
        "not labelled yet": ("pending", max(0, total - seen)),
    }
    parts = {name: part for name, part in parts.items() if part[1] or name in ("labelled", "failed")}
    return ledger_parts(parts), {"name": "images in the index", "images": total}


def _stages(run: dict[str, Any]) -> dict[str, Any] | None:
    """The table of the run's stages; None of a run of an earlier version."""
    if not run["stages"]:
        return None
    rows = [
        (one["stage"], count(one["images"]), figure(one["images_per_s"]), percent(one["busy_fraction"]))
        for one in run["stages"]
    ]
    return {
        "columns": ("images", "images/s alone", "busy"),
        "rows": rows,
        "held_back_by": run["held_back_by"],
    }


def _failures(facts: ReportFacts, album: Album) -> list[dict[str, Any]]:
    failed = facts.counts.outcomes.filter(pl.col("failure").is_not_null())
    by_reason = (
        failed.group_by("failure")
        .agg(pl.col("images").sum())
        .sort("images", "failure", descending=[True, False])
    )
    found = []
    for reason, images in by_reason.iter_rows():
        meaning, advice = ADVICE[reason]
        examples = album.of(facts.choices.failures.get(reason, []))
        found.append(
            {"reason": reason, "images": images, "meaning": meaning, "advice": advice, "examples": examples}
        )
    return found


def _run(run: dict[str, Any], facts: ReportFacts) -> dict[str, Any]:
    failed = sum(one["images"] for one in run["failures"])
    return run | {"failed": failed, "shown": run["run_id"] == facts.run["run_id"]}


def _about(facts: ReportFacts) -> list[tuple[str, str]]:
    run = facts.run
    about = [("description set", f"{run['description_set']}, version {run['description_version']}")]
    for role, model in json.loads(run["models"]).items():
        about.append((role, f"{model['name']} ({(model['sha256'] or 'no weights of its own')[:12]})"))
    for name, values in json.loads(run["settings"]).items():
        if isinstance(values, dict):
            words = ", ".join(f"{key} = {value}" for key, value in values.items() if value is not None)
            about.append((f"[{name}]", words))
    return [*about, ("laketag", run["laketag_version"])]


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
                "sheet": sheets and [(TITLES[sheet], album.of(sheets[sheet])) for sheet in SHEETS],
            }
        )
    return found


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

"""How the run of a report went: its figures, its ledger, its stages, its failures, and what it ran with."""

import json
from typing import Any

import polars as pl

from laketag.pipeline.config import Settings
from laketag.pipeline.flows.report_cards import Album
from laketag.pipeline.flows.report_facts import ReportFacts
from laketag.pipeline.lake.current_rows import REMOVED, STALE
from laketag.pipeline.pages.wording import count, figure, moment, percent
from laketag.pipeline.progress.estimate import Estimate
from laketag.pipeline.reporting.charts import ledger_parts, rate_chart
from laketag.pipeline.reporting.failure_advice import ADVICE

MILLION = 1_000_000


def show_course(facts: ReportFacts, album: Album, settings: Settings) -> dict[str, Any]:
    """What the template shows of the run."""
    ledger, total = _ledger(facts)
    return {
        "scope": _scope(facts),
        "tiles": _tiles(facts, settings),
        "ledger": ledger,
        "total": total,
        "rates": rate_chart(facts.rates),
        "stages": _stages(facts.run),
        "failures": _failures(facts, album),
        "runs": [_run(run, facts) for run in facts.runs],
        "about": _about(facts),
    }


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
            f"{counts.classes.height - bool(counts.none):,} classes in use",
        ),
    ]
    if counts.none:
        of_labelled = percent(counts.none / counts.labelled)
        found.append(
            (count(counts.none), "images of none of the classes", "", f"{of_labelled} of those labelled")
        )
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
    is_failure, is_none = pl.col("failure").is_not_null(), pl.col("is_none")
    has_class = ~is_failure & ~is_none

    def images(*which: pl.Expr) -> int:
        return int(outcomes.filter(*which)["images"].sum())

    if facts.is_whole_run:
        parts = {
            "labelled": ("labelled", images(has_class)),
            "of none of the classes": ("none", images(is_none)),
            "failed": ("failed", images(is_failure)),
            "forgotten since": ("pending", run["forgotten"] or 0),
        }
        return ledger_parts(_without_empty(parts)), {"name": "planned by this run", "images": run["planned"]}
    present = pl.col("status") != REMOVED
    is_stale = pl.col("status") == STALE
    seen = images(present)
    total = seen if facts.index_images is None else facts.index_images
    parts = {
        "labelled": ("labelled", images(present, has_class, ~is_stale)),
        "labelled, changed since": ("stale", images(present, has_class, is_stale)),
        "of none of the classes": ("none", images(present, is_none)),
        "failed": ("failed", images(present, is_failure)),
        "not labelled yet": ("pending", max(0, total - seen)),
    }
    return ledger_parts(_without_empty(parts)), {"name": "images in the index", "images": total}


def _without_empty(parts: dict[str, tuple[str, int]]) -> dict[str, tuple[str, int]]:
    return {name: part for name, part in parts.items() if part[1] or name in ("labelled", "failed")}


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
    if run["calibration"]:
        about.append(("calibration", run["calibration"]))
    return [*about, ("laketag", run["laketag_version"])]

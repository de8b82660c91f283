"""How fast a run was, what held it back, and what a million images take: the figures in its row of schemas.Runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import polars as pl

LEAST_MEASURED_S = 1.0
"""Shorter work tells no rate."""
BUSY_FRACTION = 0.5
"""A stage that is less busy holds nothing back: the run waits for something else, such as nodes or a store."""
MILLION = 1_000_000


@dataclass(frozen=True)
class Spent:
    """What the process that publishes a run knows beside the staged rows."""

    began_at: datetime | None = None
    """When it began with the run; None: its own seconds are not known."""
    price_per_hour: float | None = None


@dataclass(frozen=True, kw_only=True)
class RunSpeed:
    """The columns of schemas.Runs under the same names; None where nothing has noted them."""

    images_per_s: float = 0.0
    starts: int | None = None
    seconds: float | None = None
    start_s: float | None = None
    bytes_read: int | None = None
    device_busy_fraction: float | None = None
    flow_to_bare_ratio: float | None = None
    held_back_by: str | None = None
    seconds_per_million: float | None = None
    cost_per_million: float | None = None
    stages: list[dict[str, Any]] = field(default_factory=list)
    actors: list[dict[str, Any]] = field(default_factory=list)


def measure_run(work: pl.DataFrame, spent: Spent) -> RunSpeed:
    """The figures of a run whose rows have cost this (laketag.pipeline.lake.run_work.sum_work).

    The flow's seconds are those from the first image that came to a model to the last staged part, of each process that drove
    the run. A stage's own rate is that of its tasks while they worked, times how many there were at once.
    """
    starts = _sum_starts(work, spent)
    flow_s, seconds = float(starts["flow_s"].sum()), float(starts["seconds"].sum())
    if not work.height:
        return RunSpeed(starts=starts.height or None, seconds=seconds if starts.height else None)
    is_measured = flow_s >= LEAST_MEASURED_S
    images_per_s = float(work["images"].sum()) / flow_s if is_measured else 0.0
    actors = [_describe_actor(row) for row in work.iter_rows(named=True)]
    stages = [
        _describe_stage(stage, work, float(starts[available].sum()), flow_s)
        for stage, available in (("fetch", "fetch_slot_s"), ("decode", "decode_slot_s"), ("label", "actor_s"))
    ]
    slowest = max(stages, key=lambda stage: stage["busy_fraction"])
    start_s = float(starts["start_s"].sum())
    return RunSpeed(
        images_per_s=images_per_s,
        starts=starts.height,
        seconds=seconds,
        start_s=start_s,
        bytes_read=int(work["fetched_bytes"].sum()),
        device_busy_fraction=stages[-1]["busy_fraction"],
        flow_to_bare_ratio=slowest["busy_fraction"] if is_measured else None,
        held_back_by=_name_brake({"start": start_s, "publish": seconds - start_s - flow_s}, seconds, slowest),
        seconds_per_million=MILLION / images_per_s if images_per_s else None,
        cost_per_million=None
        if spent.price_per_hour is None or not images_per_s
        else MILLION / images_per_s / 3600 * spent.price_per_hour,
        stages=stages,
        actors=actors,
    )


def _sum_starts(work: pl.DataFrame, spent: Spent) -> pl.DataFrame:
    """A row for each process that drove the run: its seconds, those before its first image, and those of the flow."""
    actor_s = _seconds(pl.col("ended_at") - pl.col("began_at"))
    starts = (
        work.with_columns(actor_s=actor_s)
        .group_by("start_at")
        .agg(
            pl.col("began_at").min(),
            pl.col("ended_at").max(),
            pl.col("actor_s", "images", "fetch_slots", "decode_slots").sum(),
        )
        .with_columns(
            flow_s=_seconds(pl.col("ended_at") - pl.col("began_at")),
            start_s=_seconds(pl.col("began_at") - pl.col("start_at")),
            seconds=_seconds(pl.col("ended_at") - pl.col("start_at")),
        )
        .with_columns(
            fetch_slot_s=pl.col("flow_s") * pl.col("fetch_slots") / pl.col("images"),
            decode_slot_s=pl.col("flow_s") * pl.col("decode_slots") / pl.col("images"),
        )
        .select("start_at", "flow_s", "start_s", "seconds", "actor_s", "fetch_slot_s", "decode_slot_s")
    )
    if spent.began_at is None:
        return starts
    own_s = (datetime.now(UTC) - spent.began_at).total_seconds()
    own = pl.DataFrame(
        {"start_at": [spent.began_at], "own_s": [own_s]},
        schema_overrides={"start_at": starts.schema["start_at"]},
    )
    both = starts.join(own, on="start_at", how="full", coalesce=True)
    return both.with_columns(seconds=pl.max_horizontal("own_s", "seconds")).drop("own_s")


def _seconds(span: pl.Expr) -> pl.Expr:
    """The span in seconds, at least 0: the clocks of nodes differ."""
    return (span.dt.total_microseconds() / 1e6).clip(0)


def _describe_stage(stage: str, work: pl.DataFrame, available_s: float, flow_s: float) -> dict[str, Any]:
    busy_s = float(work[f"{stage}_s"].sum())
    images = int(work["classified" if stage == "label" else "images"].sum())
    at_once = available_s / flow_s if flow_s else None
    return {
        "stage": stage,
        "images": images,
        "busy_s": busy_s,
        "at_once": at_once,
        "images_per_s": images / busy_s * at_once if busy_s and at_once else None,
        "busy_fraction": min(1.0, busy_s / available_s) if available_s else 0.0,
    }


def _describe_actor(row: Mapping[str, Any]) -> dict[str, Any]:
    busy_s, present_s = row["label_s"], (row["ended_at"] - row["began_at"]).total_seconds()
    return {
        "actor": row["actor"],
        "images": row["classified"],
        "busy_s": busy_s,
        "images_per_s": row["classified"] / busy_s if busy_s else None,
        "busy_fraction": min(1.0, busy_s / present_s) if present_s > 0 else 0.0,
    }


def _name_brake(others: Mapping[str, float], seconds: float, slowest: Mapping[str, Any]) -> str:
    """What a shorter run would have to change first: what takes more than half of its time, or its busiest stage."""
    for name, taken_s in others.items():
        if taken_s > seconds / 2:
            return name
    return str(slowest["stage"]) if slowest["busy_fraction"] >= BUSY_FRACTION else "waiting"

"""How fast a run was, as a few lines."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.filesize import decimal

from laketag.pipeline.progress.estimate import name_duration

if TYPE_CHECKING:
    from laketag.pipeline.lake.run_speed import RunSpeed

BRAKES = {
    "start": "most of it went into the start",
    "publish": "most of it went into the publication",
    "waiting": "no stage was busy half of it",
}
"""What is said of the time where no stage holds a run back."""


def describe_speed(speed: "RunSpeed") -> Iterator[str]:
    """The rate, the stages, time, bytes, what held the run back, and what a million images take, as far as it is known."""
    stages = [stage for stage in speed.stages if stage["images_per_s"] is not None]
    brake = speed.held_back_by
    if speed.flow_to_bare_ratio is not None:
        share = f"{speed.flow_to_bare_ratio:.0%} of what its slowest stage does alone"
        yield f"speed: {speed.images_per_s:,.1f} images/s, {share}"
        rates = [
            f"{one['stage']} {one['images_per_s']:,.1f}/s (busy {one['busy_fraction']:.0%})" for one in stages
        ]
        yield f"  {', '.join(rates)}"
        of_actors = sorted(
            actor["images_per_s"] for actor in speed.actors if actor["images_per_s"] is not None
        )
        if len(of_actors) > 1:
            yield f"  {len(of_actors)} actors with {of_actors[0]:,.1f} to {of_actors[-1]:,.1f}/s each"
        if brake and brake not in BRAKES:
            yield f"  held back by {brake}"
    if speed.seconds is not None and speed.start_s is not None:
        starts = f" in {speed.starts} starts" if speed.starts and speed.starts > 1 else ""
        reason = f"; {BRAKES[brake]}" if brake in BRAKES else ""
        first = f"{name_duration(round(speed.start_s))} of it before the first image"
        yield f"time: {name_duration(round(speed.seconds))}{starts}, {first}{reason}"
    if speed.bytes_read is not None:
        yield f"read: {decimal(speed.bytes_read)}"
    if speed.seconds_per_million is not None:
        cost = "" if speed.cost_per_million is None else f" and cost {speed.cost_per_million:,.2f}"
        yield f"a million images take {name_duration(round(speed.seconds_per_million))}{cost} at this rate"


def describe_actors(speed: "RunSpeed") -> Iterator[str]:
    """A line for each label actor, of interest to operators."""
    for actor in speed.actors:
        rate = "" if actor["images_per_s"] is None else f", {actor['images_per_s']:,.1f}/s"
        yield f"actor {actor['actor']}: {actor['images']:,} images{rate}, busy {actor['busy_fraction']:.0%}"

"""Seconds from the command to the first image at the model, by what they pass in, and those of a call with nothing to do.

CPU seconds are those of the command and all that it has started: on a machine that others use, they tell more than the clock.
"""

import os
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from laketag.pipeline.lake import queries
from tests.benches.lakes import save_random_clip, save_random_vit, write_pictures
from tests.benches.rows import Row
from tests.end_to_end.command_line import LAKETAG

SIZE_PX = (500, 375)
IMAGES = 16
ROUNDS = 3
STEPS = {
    "looking up the models": "imports",
    "comparing the index": "models looked up",
    "starting Ray": "plan",
    "this machine": "Ray",
    "run ": "processes, weights, images, publication",
}
"""How a line begins, and what has passed when it is printed."""


@dataclass(frozen=True)
class Call:
    """What a call of label took."""

    started_at: datetime
    seconds: float
    cpu_s: float
    steps: Mapping[str, float]
    """Seconds between the lines that it prints."""


def measure_start() -> Iterator[Row]:
    """A call whose models are looked up for the first time, and one that remembers them."""
    with tempfile.TemporaryDirectory(prefix="laketag-bench-") as name:
        lake, settings = _prepare(Path(name))
        calls = []
        for number in range(2):
            chosen = ("--root", lake, "-s", "s", "-c", f"c{number}", *settings, "--verbose")
            call = _call(Path(name), "label", *chosen)
            calls.append((call, _first_image_s(call, lake, number)))
        (first, first_s), (again, again_s) = calls
        yield Row(
            what="until the first image is at the model: models looked up for the first time → remembered",
            without=f"{first_s:.1f} s",
            with_=f"{again_s:.1f} s",
            ratio=f"{first.cpu_s / again.cpu_s:.2f} of CPU",
            note=f"{first.cpu_s:.1f} and {again.cpu_s:.1f} s of CPU for the whole call; remembered: {_describe(again)}",
        )


def measure_nothing_to_do() -> Iterator[Row]:
    """The same call once more, without anything to label."""
    with tempfile.TemporaryDirectory(prefix="laketag-bench-") as name:
        lake, settings = _prepare(Path(name))
        chosen = ("--root", lake, "-s", "s", "-c", "c0", *settings)
        whole = _call(Path(name), "label", *chosen)
        idle = [_call(Path(name), "label", *chosen) for _ in range(ROUNDS)]
        seconds, cpu_s = (
            statistics.median(getattr(call, what) for call in idle) for what in ("seconds", "cpu_s")
        )
        yield Row(
            what=f"laketag label: {IMAGES} images → nothing to do",
            without=f"{whole.seconds:.1f} s",
            with_=f"{seconds:.2f} s",
            ratio=f"{whole.cpu_s / cpu_s:.1f} of CPU",
            note=f"{whole.cpu_s:.1f} and {cpu_s:.2f} s of CPU; median of {ROUNDS}",
        )


def _prepare(folder: Path) -> tuple[str, tuple[str, ...]]:
    """A described lake with two collections, and the options that choose its models: ViT-B/32 and DINO's ViT-S/16."""
    model = save_random_clip(folder / "clip", "ViT-B-32")
    attention = save_random_vit(folder / "dino.safetensors", "vit_small_patch16_224.dino")
    settings = folder / "settings.toml"
    settings.write_text(
        f'[backbone]\npretrained = "local-dir:{model}"\n[method]\ncrops = 2\n'
        f'[attention]\nname = "vit_small_patch16_224.dino"\nweights = "{attention}"\n'
    )
    (folder / "classes.txt").write_text("cat\ndog\nbird\n")
    lake, chosen = str(folder / "lake"), ("--settings", str(settings))
    for number in range(2):
        write_pictures(folder / f"images{number}", IMAGES, SIZE_PX)
        _call(folder, "index", str(folder / f"images{number}"), "--root", lake, "-c", f"c{number}")
    _call(folder, "describe", str(folder / "classes.txt"), "--root", lake, "-s", "s", *chosen)
    return lake, chosen


def _call(folder: Path, *arguments: str) -> Call:
    """The command has run, with a cache of models of its own in the folder."""
    environment = os.environ | {"LAKETAG_CACHE": str(folder / "cache"), "PYTHONUNBUFFERED": "1"}
    environment.pop("RAY_ADDRESS", None)
    started_at = datetime.now(UTC)
    began, before, steps, last = time.perf_counter(), _cpu_of_children_s(), dict[str, float](), 0.0
    with subprocess.Popen(
        [*LAKETAG, *arguments], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout
        for line in process.stdout:
            passed = next((step for start, step in STEPS.items() if line.startswith(start)), None)
            if passed and passed not in steps:
                now = time.perf_counter() - began
                steps[passed], last = now - last, now
    if process.returncode:
        raise RuntimeError(f"laketag {arguments[0]} ended with {process.returncode}")
    return Call(started_at, time.perf_counter() - began, _cpu_of_children_s() - before, steps)


def _cpu_of_children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _first_image_s(call: Call, lake: str, number: int) -> float:
    """Seconds from the command until the first image of the collection was at the model."""
    first = queries.labels(lake, collection=f"c{number}").select(pl.col("labelled_at").min()).collect().item()
    return float((first - call.started_at).total_seconds())


def _describe(call: Call) -> str:
    return ", ".join(f"{step} {seconds:.1f} s" for step, seconds in call.steps.items())

"""Published top-1 accuracies, in percent, to stand beside ours."""

import csv
from dataclasses import dataclass
from pathlib import Path

from laketag.pipeline.config import BackboneSettings
from laketag.pipeline.errors import InputError

SOURCE = "WCA, arXiv 2406.02915 (CLIP ViT-B/16)"
BACKBONE = ("ViT-B-16", "openai")
METHODS = ("clip", "clip-e", "clip-d", "waffle", "cupl", "wca")
"""The columns of the rows below. The accuracies of ABS are in no source that we could read; --published adds them."""
TOP1_PERCENT: dict[str, tuple[float | None, ...]] = {
    "imagenet": (66.74, 68.37, 68.04, 68.12, 69.61, 71.08),
    "cub": (56.01, 56.16, 57.08, 56.89, 56.42, 59.78),
    "pets": (88.14, 89.10, 87.52, 86.51, 91.14, 92.23),
    "dtd": (42.98, 45.27, 46.17, 44.68, 50.53, 52.79),
    "food101": (88.40, 88.83, 88.85, 89.06, 88.98, 90.01),
    "places365": (39.27, 40.30, 40.34, 40.76, 39.83, 41.43),
    "imagenet-v2": (None, None, None, None, None, 64.71),
    "imagenet-r": (None, None, None, None, None, 78.06),
    "imagenet-sketch": (None, None, None, None, None, 50.18),
    "imagenet-a": (None, None, None, None, None, 56.13),
}
BENCHMARKS = tuple(TOP1_PERCENT)
COLUMNS = ("benchmark", "backbone", "method", "top1_percent")


@dataclass(frozen=True)
class Published:
    """The figures for one benchmark and backbone: method → top-1 in percent; and where they are from."""

    top1_percent: dict[str, float]
    sources: tuple[str, ...] = ()


def find_published(benchmark: str | None, backbone: BackboneSettings, file: Path | None = None) -> Published:
    """The figures that match, those of the file before ours; none without a benchmark. InputError if the file is none.

    The file is CSV with the columns of COLUMNS; its backbone is written NAME/PRETRAINED, such as ViT-B-16/openai.
    """
    figures: dict[str, float] = {}
    sources: list[str] = []
    if benchmark in TOP1_PERCENT and (backbone.name, backbone.pretrained) == BACKBONE:
        own = zip(METHODS, TOP1_PERCENT[benchmark], strict=True)
        figures |= {method: percent for method, percent in own if percent is not None}
        sources.append(SOURCE)
    if file is not None:
        added = {
            row["method"]: percent
            for row, percent in _read(file)
            if (row["benchmark"], row["backbone"]) == (benchmark, f"{backbone.name}/{backbone.pretrained}")
        }
        figures |= added
        if added:
            sources.append(file.name)
    return Published(figures, tuple(sources))


def _read(file: Path) -> list[tuple[dict[str, str], float]]:
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            rows = list(csv.DictReader(lines))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"--published {file} cannot be read ({error}); name a CSV file") from error
    found = []
    for number, row in enumerate(rows, 2):
        if set(COLUMNS) - row.keys():
            raise InputError(f"--published {file} lacks a column of {', '.join(COLUMNS)}; add it")
        try:
            percent = float(row["top1_percent"])
        except (TypeError, ValueError):
            percent = float("nan")
        if not 0 <= percent <= 100:
            raise InputError(
                f"--published {file}, line {number}: top1_percent {row['top1_percent']!r} is no percentage; "
                "write a number from 0 to 100"
            )
        found.append((row, percent))
    return found

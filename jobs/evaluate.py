"""``laketag evaluate``: how often each method is right about images whose class is known."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Column, Table

from laketag.jobs.console import open_screen, write_json
from laketag.jobs.label import checked_hours
from laketag.jobs.options import SHARED, flag, option
from laketag.pipeline.errors import SettingsError
from laketag.pipeline.evaluation.published import BENCHMARKS
from laketag.pipeline.screen import Screen
from laketag.pipeline.settings_file import read_settings

if TYPE_CHECKING:
    from laketag.pipeline.flows.evaluation_report import EvaluationReport

MOST_SEEDS = 1000
OPTIONS = SHARED | {
    "methods": option(
        str,
        "--methods",
        metavar="NAMES",
        help="Methods and groups, separated by commas: paper, parts, attention, beyond, budgets, all (the default), or names "
        "such as wca, abs, abs-raw, abs:uniform.",
    ),
    "seeds": option(
        int,
        "--seeds",
        metavar="N",
        help="Number of seeds for methods that draw crops or words; 1 by default.",
    ),
    "descriptions": flag(
        "--descriptions",
        help="Compare what the filter of descriptions and each of its rules does to accuracy; with clip, abs and cupl, or the "
        "methods that are named.",
    ),
    "descriptors": option(str, "--descriptors", metavar="SET", help="Description set that CLIP-D reads."),
    "benchmark": option(
        str,
        "--benchmark",
        metavar="NAME",
        help="Data set whose published accuracies are shown; by default that of the collection's name.",
    ),
    "published": option(
        Path,
        "--published",
        metavar="FILE",
        help="CSV of further published accuracies: benchmark, backbone, method, top1_percent.",
    ),
    "leave_out_unknown": flag(
        "--leave-out-unknown", help="Leave out images whose true class the set does not describe."
    ),
}


def evaluate(
    root: str,
    collection: str,
    description_set: str,
    *,
    methods: str | Sequence[str] | None = None,
    seeds: int | None = None,
    descriptions: bool = False,
    descriptors: str | None = None,
    benchmark: str | None = None,
    published: Path | None = None,
    leave_out_unknown: bool = False,
    max_hours: float | None = None,
    as_json: bool = False,
    verbose: bool = False,
    settings: Path | str | None = None,
    override: Sequence[str] = (),
    console: Console | None = None,
) -> "EvaluationReport":
    """Compare methods on the images whose true class the index states or people have decided.

    Every image is read once for all methods, and each crop is encoded once. What was evaluated before, with the same images,
    texts and settings, is not computed again: a call that was interrupted goes on, and further methods and seeds are
    added. Labels, runs and queries never change by it. With --descriptions, each method reads the texts of the set with
    the filter, without it, and with each of its rules alone; and, as a control of whether their content helps, those of a
    random other class, whose name is replaced.
    """
    screen = open_screen(console, verbose=verbose, as_json=as_json)
    chosen = read_settings(settings, override)  # before the imports below, which take a second

    from laketag.pipeline.cluster.work_stop import WorkStop
    from laketag.pipeline.flows.evaluate_images import evaluate_images
    from laketag.pipeline.flows.evaluate_request import EvaluateRequest
    from laketag.pipeline.lake.paths import checked_name, open_lake

    request = EvaluateRequest(
        collection=checked_name(collection, "collection"),
        description_set=checked_name(description_set, "set"),
        methods=split_names(("clip,abs,cupl" if descriptions else "all") if methods is None else methods),
        seeds=checked_seeds(1 if seeds is None else seeds),
        varies_descriptions=descriptions,
        descriptors=None if descriptors is None else checked_name(descriptors, "set"),
        benchmark=checked_benchmark(benchmark),
        published=published,
        leave_out_unknown=leave_out_unknown,
        stop=WorkStop.after(checked_hours(max_hours)),
    )
    report = evaluate_images(open_lake(root, chosen.storage), request, chosen, screen)
    show_evaluation(report, screen)
    if as_json:
        write_json(report.as_json())
    return report


def split_names(names: str | Sequence[str]) -> tuple[str, ...]:
    """The names between commas."""
    texts = [names] if isinstance(names, str) else names
    return tuple(name for text in texts for part in text.split(",") if (name := part.strip()))


def checked_seeds(seeds: int) -> int:
    """The number, if it is one of seeds; else a SettingsError."""
    if not 1 <= seeds <= MOST_SEEDS:
        raise SettingsError(f"--seeds {seeds}: give a number from 1 to {MOST_SEEDS:,}")
    return seeds


def checked_benchmark(name: str | None) -> str | None:
    """The name, if there are published figures of it; else a SettingsError."""
    if name is not None and name not in BENCHMARKS:
        raise SettingsError(f"--benchmark {name} is unknown; choose one of {', '.join(BENCHMARKS)}")
    return name


def show_evaluation(report: "EvaluationReport", screen: Screen) -> None:
    """The paper's table is printed, and in sentences whether the method is better than CLIP and WCA."""
    columns = list(report.table[0])
    if not any(row["published"] for row in report.table):
        columns.remove("published")
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in columns:
        table.columns.append(Column(name, justify="left" if name == "method" else "right", no_wrap=True))
    for method, row in zip(report.summary["method"], report.table, strict=True):
        table.add_row(*(method if name == "method" else row[name] for name in columns))
    screen.console.print(table)
    for sentence in (*report.conclusions, *report.notices):
        screen.say(sentence)
    if report.done < report.images:
        screen.say(
            f"{report.images - report.done:,} of {report.images:,} images are left; the same command goes on",
            "yellow",
        )
    screen.say(f"table, CSV and plots: {report.url}/report", whole=report.url)

"""What ``laketag label`` prints of its report."""

import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from laketag.jobs.console import counts_table
from laketag.jobs.run_speed_lines import describe_actors, describe_speed
from laketag.pipeline.errors import BusyError, ExitCode, exit_code_of
from laketag.pipeline.screen import Screen

if TYPE_CHECKING:
    from laketag.pipeline.flows.label_report import LabelReport, Preview
    from laketag.pipeline.lake.publish import Published
    from laketag.pipeline.progress.progress import Progress


def show_report(report: "LabelReport", root: str, screen: Screen) -> None:
    """Print what was labelled, or would be; what is left; and which labels queries show."""
    if report.preview:
        show_preview(report, report.preview, screen)
    elif not report.planned:
        show_nothing_to_do(report, screen)
        if report.runs:
            screen.say("queries show these labels again, and no longer those of another classifier")
    for published in report.runs:
        if published.run.planned:
            show_ledger(published, screen)
    if report.carried:
        screen.say(
            f"{report.carried:,} images without a label wait for an index that can look at them; make their folders readable",
            "yellow",
        )
    later = report.left - report.carried - report.lacking
    if later > 0 and not report.preview:
        time = (
            f"{report.rest} at this rate"
            if report.rest
            else "for an unknown time, as these were too few to measure"
        )
        screen.say(f"left for later: {later:,} images, {time}")
    failed = sum(report.failures.values())
    if report.exit_code is ExitCode.FAILED or failed > report.labelled:
        screen.say(
            f"{failed:,} of {report.planned:,} images failed ({_counts(report.failures)}); see why with: "
            f"laketag query failures --root {shlex.quote(root)} --run-id {report.runs[-1].run.run_id}",
            "bold red",
        )
    if report.given_up:
        reasons = " ".join(f"--retry {reason}" for reason in report.given_up)
        screen.say(
            f"{sum(report.given_up.values()):,} images failed again and again over several runs ({_counts(report.given_up)}) "
            f"and need {reasons} to be tried once more; see why with: laketag query failures --root {shlex.quote(root)}",
            "yellow",
        )
    if report.preview:
        return
    if report.labelled_last not in (None, report.classifier):
        screen.say(
            f"queries show the labels of classifier {report.labelled_last}, which labelled last; to see these labels: "
            f"{_query(report, root)} --classifier {report.classifier}",
            "yellow",
        )
    elif report.runs and report.left and report.labelled_before:
        screen.say(
            "queries show the labels of this classifier from now on, and the images left for later have none of it; "
            f"to see the earlier labels: {_query(report, root)} --classifier {report.labelled_before}",
            "yellow",
        )


def show_nothing_to_do(report: "LabelReport", screen: Screen) -> None:
    """Print that every image is done, and how many of them have no label."""
    done = (
        f"all {report.index_rows:,}"
        if not report.left
        else f"{report.index_rows - report.left:,} of {report.index_rows:,}"
    )
    what = (
        "the time was over before any image was labelled" if report.left > report.carried else "nothing to do"
    )
    screen.say(f"{what}: {done} images of snapshot {report.snapshot} are done")
    if report.failed_before:
        screen.say(
            f"{sum(report.failed_before.values()):,} of them without a label ({_counts(report.failed_before)}); "
            "once the cause is fixed, --retry REASON retries them",
            "yellow",
        )


def show_preview(report: "LabelReport", preview: "Preview", screen: Screen) -> None:
    """Print how many images would be labelled, why, and how long that would take."""
    if not (preview.images or preview.unfinished or report.left):
        show_nothing_to_do(report, screen)
        return
    rows = [("images in the index", report.index_rows, ""), ("  would be labelled", preview.images, "green")]
    rows += [(f"    left of run {run_id}", left, "") for run_id, left in preview.unfinished.items()]
    rows += [(f"    {reason}", images, "") for reason, images in preview.reasons.items()]
    rows += [("  left for later", report.left, "")] if report.left else []
    screen.console.print(_table(rows))
    if preview.differences:
        stay = report.labelled_last != report.classifier
        screen.say(
            f"another classifier labelled images before; since then: {'; '.join(preview.differences)}"
            + (". Its labels stay current until the new run is published" if stay else ""),
            "yellow",
        )
    if preview.estimate:
        screen.say(
            f"time: {preview.estimate}, at the {preview.estimate.images_per_s:,.1f} images/s of run {preview.rate_of}, "
            "and the start of Ray and the models"
        )
    else:
        screen.say(
            "time: not known before a first run with this method; --limit 100 labels a sample and measures it"
        )
    screen.say("nothing was written")


def show_ledger(published: "Published", screen: Screen) -> None:
    """Print a run's balanced ledger, how fast it was and where its rows are stored."""
    ledger, run = published.ledger, published.run
    screen.say(f"run {run.run_id}", "bold")
    rows = [
        ("images in the index", run.index_rows, ""),
        ("  already done", run.already_done, ""),
        *([("  left for later", run.left, "")] if run.left else []),
        ("  planned", run.planned, ""),
        ("    labelled", ledger.labelled, "green"),
        *((f"    {reason}", images, "yellow") for reason, images in ledger.failures.items()),
    ]
    screen.console.print(_table(rows))
    for line in describe_speed(published.speed):
        screen.say(line)
    for line in describe_actors(published.speed):
        screen.detail(line)
    screen.say(f"labels: {published.folder}", whole=published.folder)
    if run.calibration:
        screen.say(
            f"accepted by calibration {run.calibration}; queries show images that it accepts no class for as none of these"
        )


def show_unfinished(runs: "Sequence[Progress]", error: BaseException, screen: Screen) -> None:
    """Print how far the run has come that the error has ended, if the same command goes on with it."""
    if exit_code_of(error).resumable and not isinstance(error, BusyError):
        for progress in runs:
            if not progress.published:
                screen.say(
                    f"run {progress.run_id} is kept, with {progress.labelled:,} of {progress.planned:,} images labelled; "
                    "the same command goes on with it"
                )


def _counts(failures: Mapping[str, int]) -> str:
    return ", ".join(f"{reason} {images:,}" for reason, images in failures.items())


def _query(report: "LabelReport", root: str) -> str:
    return f"laketag query labels --root {shlex.quote(root)} --collection {report.request.collection}"


def _table(rows: Sequence[tuple[str, int, str]]) -> Table:
    table = counts_table()
    for name, images, style in rows:
        table.add_row(name, f"{images:,}", style=style)
    return table

"""``laketag label``: label what is new or changed in a collection."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from laketag.jobs.console import literal_console
from laketag.jobs.options import SHARED
from laketag.pipeline.errors import SettingsError
from laketag.pipeline.settings_file import read_settings

if TYPE_CHECKING:
    from laketag.pipeline.flows.plan_run import NothingToDo
    from laketag.pipeline.lake.publish import Published

OPTIONS = SHARED | {
    "retry": Annotated[
        list[str],
        typer.Option(
            "--retry",
            metavar="REASON",
            help="Also retry images that failed for this reason, such as too_large or forbidden; may be repeated.",
            show_default=False,
        ),
    ]
}


def label(
    root: str,
    collection: str,
    set_name: str,
    *,
    retry: Sequence[str] = (),
    settings: Path | str | None = None,
    override: Sequence[str] = (),
    console: Console | None = None,
) -> "tuple[Published, ...] | NothingToDo":
    """Label the images of a collection that have no label yet, or have changed.

    Runs on the Ray cluster that RAY_ADDRESS names, or starts Ray on this machine. A run that was interrupted is
    finished first. Images that cannot be labelled get a row with the reason; permanent failures are retried
    only when the image changes, or with --retry.
    """
    from laketag.pipeline.flows.label_images import label_images
    from laketag.pipeline.flows.plan_run import LabelRequest, NothingToDo
    from laketag.pipeline.lake.paths import checked_name, open_lake

    chosen = read_settings(settings, override)
    lake = open_lake(root, chosen.storage)
    checked_name(collection, "collection")
    checked_name(set_name, "set")
    console = literal_console(console)
    request = LabelRequest(collection=collection, set_name=set_name, retry=checked_reasons(retry))
    result = label_images(lake, request, chosen, console)
    if isinstance(result, NothingToDo):
        show_nothing_to_do(result, root, console)
        return result
    for published in result:
        show_ledger(published, console)
    return tuple(result)


def checked_reasons(reasons: Sequence[str]) -> Sequence[str]:
    """The reasons, if all are permanent failures; else a SettingsError."""
    from laketag.schemas import PERMANENT_FAILURES, TRANSIENT_FAILURES

    if unknown := [reason for reason in reasons if reason not in PERMANENT_FAILURES]:
        raise SettingsError(
            f"--retry {unknown[0]}: not a permanent failure; choose one of {', '.join(PERMANENT_FAILURES)} "
            f"({', '.join(TRANSIENT_FAILURES)} are retried automatically)"
        )
    return reasons


def show_nothing_to_do(nothing: "NothingToDo", root: str, console: Console) -> None:
    """Print that every image is done, how many of them have no label, and which labels queries show."""
    console.print(f"nothing to do: all {nothing.index_rows:,} images of snapshot {nothing.snapshot} are done")
    if nothing.failed:
        reasons = ", ".join(f"{reason} {images:,}" for reason, images in nothing.failed.items())
        console.print(
            f"{sum(nothing.failed.values()):,} of them without a label ({reasons}); "
            "once the cause is fixed, --retry REASON retries them",
            style="yellow",
        )
    if nothing.queried != nothing.classifier:
        console.print(
            f"queries show the labels of classifier {nothing.queried}, which labelled last; to see these labels: "
            f"laketag query labels --root {root} --classifier {nothing.classifier}",
            style="yellow",
            soft_wrap=True,
        )


def show_ledger(published: "Published", console: Console) -> None:
    """Print a run's balanced ledger and where its rows are stored."""
    ledger, run = published.ledger, published.run
    console.print(f"run {run.run_id}", style="bold")
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(justify="right")
    table.add_row("images in the index", f"{run.index_rows:,}")
    table.add_row("  already done", f"{run.already_done:,}")
    table.add_row("  planned", f"{run.planned:,}")
    table.add_row("    labelled", f"{ledger.labelled:,}", style="green")
    for reason, images in ledger.failures.items():
        table.add_row(f"    {reason}", f"{images:,}", style="yellow")
    console.print(table)
    console.print(f"labels: {published.folder}", soft_wrap=True)

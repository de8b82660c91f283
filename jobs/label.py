"""``laketag label``: label what is new or changed in a collection."""

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from laketag.jobs.console import open_console
from laketag.jobs.options import Collection, DescriptionSet, Overrides, Root, SettingsFile
from laketag.pipeline.errors import SettingsError
from laketag.pipeline.lake.paths import checked_name, open_lake
from laketag.pipeline.lake.publish import Published
from laketag.pipeline.settings_file import read_settings
from laketag.schemas import PERMANENT_FAILURES, TRANSIENT_FAILURES


def label(
    root: Root,
    collection: Collection,
    set_name: DescriptionSet,
    retry: Annotated[
        list[str] | None,
        typer.Option(
            "--retry",
            metavar="REASON",
            help="Also try again what failed for this reason, such as too_large or forbidden; may be repeated.",
            show_default=False,
        ),
    ] = None,
    settings: SettingsFile = None,
    override: Overrides = None,
) -> None:
    """Label the images of a collection that have no label yet, or have changed.

    Runs on the Ray that RAY_ADDRESS names, or on one that it starts on this machine. A run that was
    interrupted is finished first. Images that cannot be labelled get a row that says why; those that failed for
    good are tried again only when they change, or with --retry.
    """
    chosen = read_settings(settings, override or ())
    lake = open_lake(root, chosen.storage)
    checked_name(collection, "collection")
    checked_name(set_name, "set")
    from laketag.pipeline.flows.label_images import (  # polars and more: a second to import
        NothingToDo,
        label_images,
    )

    console = open_console()
    result = label_images(lake, collection, set_name, chosen, console, checked_reasons(retry or ()))
    if isinstance(result, NothingToDo):
        console.print(
            f"nothing to do: all {result.index_rows:,} images of snapshot {result.snapshot} are done"
        )
        if result.failed:
            reasons = ", ".join(f"{reason} {images:,}" for reason, images in result.failed.items())
            console.print(
                f"{sum(result.failed.values()):,} of them without a label ({reasons}); "
                "once the cause is mended, --retry REASON tries them again",
                style="yellow",
            )
        if result.queried != result.classifier:
            console.print(
                f"queries show what classifier {result.queried} labelled since; these labels are seen "
                f"with: laketag query labels --root {root} --classifier {result.classifier}",
                style="yellow",
                soft_wrap=True,
            )
        return
    for published in result:
        show_ledger(published, console)


def checked_reasons(reasons: Sequence[str]) -> Sequence[str]:
    """The reasons, if all are among those that are not tried again anyway; else a SettingsError."""
    if unknown := [reason for reason in reasons if reason not in PERMANENT_FAILURES]:
        raise SettingsError(
            f"--retry {unknown[0]}: not a reason that stands; choose among {', '.join(PERMANENT_FAILURES)} "
            f"({', '.join(TRANSIENT_FAILURES)} are tried again anyway)"
        )
    return reasons


def show_ledger(published: Published, console: Console) -> None:
    """Print a run's balanced ledger and where its rows lie."""
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

"""``laketag label``: label what is new or changed in a collection."""

from rich.console import Console
from rich.table import Table

from jobs.options import Collection, DescriptionSet, Overrides, Root, SettingsFile
from pipeline.config import read_settings
from pipeline.lake import checked_name, open_lake
from pipeline.storage.publish import Published


def label(
    root: Root,
    collection: Collection,
    set_name: DescriptionSet,
    settings: SettingsFile = None,
    override: Overrides = None,
) -> None:
    """Label the images of a collection that have no label yet, or have changed.

    Runs on the Ray that RAY_ADDRESS names, or on one that it starts on this machine. A run that was
    interrupted is finished first. Images that cannot be labelled get a row that says why.
    """
    chosen = read_settings(settings, override or ())
    lake = open_lake(root, chosen.storage)
    checked_name(collection, "collection")
    checked_name(set_name, "set")
    from pipeline.flows.label_images import NothingToDo, label_images  # ray and torch: seconds to import

    console = Console()
    result = label_images(lake, collection, set_name, chosen, console)
    if isinstance(result, NothingToDo):
        console.print(
            f"nothing to do: all {result.index_rows:,} images of snapshot {result.snapshot} are done"
        )
        return
    for published in result:
        show_ledger(published, console)


def show_ledger(published: Published, console: Console) -> None:
    """Print a run's balanced ledger and where its rows lie."""
    ledger, run = published.ledger, published.run
    console.print(f"run {run.run_id}", style="bold", highlight=False)
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(justify="right")
    table.add_row("images in the index", f"{ledger.index_rows:,}")
    table.add_row("  already done", f"{ledger.already_done:,}")
    table.add_row("  planned", f"{ledger.planned:,}")
    table.add_row("    labelled", f"{ledger.labelled:,}", style="green")
    for reason, images in ledger.failures.items():
        table.add_row(f"    {reason}", f"{images:,}", style="yellow")
    console.print(table)
    console.print(f"labels: {published.folder}", soft_wrap=True, highlight=False)

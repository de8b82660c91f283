"""``laketag describe``: write a description set."""

from typing import TYPE_CHECKING, Annotated, Literal, get_args

import polars as pl
import typer
from rich.console import Console
from rich.table import Table

from laketag.jobs.console import open_console
from laketag.jobs.options import DescriptionSet, Overrides, Root, SettingsFile
from laketag.pipeline.descriptions.formats import Format
from laketag.pipeline.lake.paths import checked_name, open_lake
from laketag.pipeline.settings_file import read_settings
from laketag.schemas import LABEL_PROMPT_POSITION

if TYPE_CHECKING:
    from laketag.pipeline.flows.describe_classes import DescribedSet

File = Annotated[
    str,
    typer.Argument(help="Class names or descriptions: a local file or s3://bucket/key.", show_default=False),
]
FormatOption = Annotated[
    Literal["auto", "names", "cupl", "clip-d", "clip-e", "csv", "parquet"],
    typer.Option("--format", help="What the file holds; auto tells it from the file and says why."),
]
ClassesFile = Annotated[
    str | None,
    typer.Option(
        "--classes", help="Class names, one a line, for a bare list of templates.", show_default=False
    ),
]
ShowDropped = Annotated[bool, typer.Option("--show-dropped", help="List every dropped text with its reason.")]


def describe(
    file: File,
    root: Root,
    set_name: DescriptionSet,
    format: FormatOption = "auto",  # the option's name
    classes: ClassesFile = None,
    show_dropped: ShowDropped = False,
    settings: SettingsFile = None,
    override: Overrides = None,
) -> None:
    """Write the descriptions of the classes, embedded, as a new version of a description set.

    The file is one of

    - **names**: class names, one a line; the label prompt describes them

    - **cupl**: JSON object of class → sentences

    - **clip-d**: JSON object of class → descriptors, made into "{class}, which has {descriptor}"

    - **clip-e**: JSON list of templates with {} (and --classes FILE), or object of class → templates

    - **csv**, **parquet**: columns class and text

    Texts that are empty, repeated, nearly repeated, or name another class are dropped, and so is what is over
    the limit of a class; the table keeps them with the reason. Each rule can be switched in the settings.
    """
    from laketag.pipeline.flows.describe_classes import describe_classes  # ray and torch: seconds to import

    chosen = read_settings(settings, override or ())
    lake = open_lake(root, chosen.storage)
    console = open_console()
    described = describe_classes(
        lake,
        file,
        checked_name(set_name, "set"),
        chosen,
        console,
        file_format=next((known for known in get_args(Format) if known == format), None),
        classes_file=classes,
    )
    if show_dropped:
        print_dropped(described, console)
    print_summary(described, console)


def print_summary(described: "DescribedSet", console: Console) -> None:
    """Print how many texts were read, kept, dropped for which reason and cut, and where they lie."""
    texts, dropped = described.texts, described.dropped
    kept = texts.filter(pl.col("drop_reason").is_null())
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(justify="right")
    table.add_row("classes", f"{texts['class_name'].n_unique():,}")
    table.add_row("texts read", f"{texts.height:,}")
    table.add_row("  kept", f"{kept.height:,}", style="green")
    for reason, count in dropped.items():
        table.add_row(f"  dropped, {reason}", f"{count:,}", style="yellow")
    if cut := kept["truncated"].sum():
        table.add_row("kept, but cut at the context's length", f"{cut:,}", style="yellow")
    console.print(f"set {described.set_name}, version {described.version}", soft_wrap=True)
    console.print(table)
    if not described.is_new:
        console.print("nothing to do: the newest version of the set has the same content")
    console.print(f"descriptions: {described.url}", soft_wrap=True)


def print_dropped(described: "DescribedSet", console: Console) -> None:
    """Print each dropped text with its class and reason."""
    rows = described.texts.filter(pl.col("drop_reason").is_not_null())
    table = Table("class", "reason", "text", box=None, padding=(0, 2, 0, 0))
    for row in rows.filter(pl.col("position") != LABEL_PROMPT_POSITION).iter_rows(named=True):
        table.add_row(row["class_name"], row["drop_reason"], row["text"])
    console.print(table)

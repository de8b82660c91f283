"""``laketag describe``: write a description set."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

from laketag.jobs.options import SHARED
from laketag.pipeline.settings_file import read_settings

if TYPE_CHECKING:
    from laketag.pipeline.descriptions.formats import Format
    from laketag.pipeline.flows.describe_classes import DescribedSet

OPTIONS = SHARED | {
    "file": Annotated[
        str,
        typer.Argument(
            help="Class names or descriptions: a local file or s3://bucket/key.", show_default=False
        ),
    ],
    "format": Annotated[
        Literal["auto", "names", "cupl", "clip-d", "clip-e", "csv", "parquet"],
        typer.Option("--format", help="Format of the file; auto detects it and says why."),
    ],
    "classes": Annotated[
        str | None,
        typer.Option(
            "--classes", help="Class names, one a line, for a bare list of templates.", show_default=False
        ),
    ],
    "show_dropped": Annotated[
        bool, typer.Option("--show-dropped", help="List every dropped text with its reason.")
    ],
}


def describe(
    file: str,
    root: str,
    set_name: str,
    *,
    format: "Format | Literal['auto']" = "auto",  # the option's name
    classes: str | None = None,
    show_dropped: bool = False,
    settings: Path | str | None = None,
    override: Sequence[str] = (),
    console: Console | None = None,
) -> "DescribedSet":
    """Write the descriptions of the classes, embedded, as a new version of a description set.

    The file is one of

    - **names**: class names, one a line; the label prompt describes them

    - **cupl**: JSON object of class → sentences

    - **clip-d**: JSON object of class → descriptors, made into "{class}, which has {descriptor}"

    - **clip-e**: JSON list of templates with {} (and --classes FILE), or object of class → templates

    - **csv**, **parquet**: columns class and text

    Texts that are empty, repeated, nearly repeated, or name another class are dropped, and so are those over
    the limit of a class; the table keeps them with the reason. Each rule can be switched off in the settings.
    """
    from laketag.pipeline.flows.describe_classes import describe_classes  # ray and torch: seconds to import
    from laketag.pipeline.lake.paths import checked_name, open_lake
    from laketag.pipeline.stages.description_files import DescriptionFile

    chosen = read_settings(settings, override)
    console = console or Console(quiet=True)
    lake = open_lake(root, chosen.storage)
    source = DescriptionFile(file, None if format == "auto" else format, classes)
    described = describe_classes(lake, checked_name(set_name, "set"), source, chosen, console)
    if show_dropped:
        show_dropped_texts(described, console)
    show_summary(described, console)
    return described


def show_summary(described: "DescribedSet", console: Console) -> None:
    """Print how many texts were read, kept, dropped for which reason and cut, and where they are stored."""
    texts, dropped = described.texts, described.dropped
    kept = texts.filter(texts["drop_reason"].is_null())
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


def show_dropped_texts(described: "DescribedSet", console: Console) -> None:
    """Print each dropped text with its class and reason."""
    table = Table("class", "reason", "text", box=None, padding=(0, 2, 0, 0))
    for row in described.texts.filter(described.texts["drop_reason"].is_not_null()).iter_rows(named=True):
        table.add_row(row["class_name"], row["drop_reason"], row["text"])
    console.print(table)

"""``laketag demo``: a small lake of drawn pictures, labelled and asked, on this machine and offline."""

import shutil
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import polars as pl
import typer
from rich.console import Console
from rich.table import Table

from laketag.jobs.console import open_console
from laketag.jobs.environment import environment
from laketag.pipeline.errors import InputError
from laketag.pipeline.lake.paths import open_lake
from laketag.pipeline.settings_file import read_settings

COLLECTION = "drawings"
SET = "drawings"
MARKER = ".laketag-demo"
"""A file in folders that a demo made."""


def demo(
    folder: Annotated[
        Path, typer.Option(help="Where the pictures and the lake go; replaced if a demo made it.")
    ] = Path("laketag-demo"),
    serve_s3: Annotated[
        bool,
        typer.Option(
            "--serve-s3",
            help="Do the same through an S3 server on this machine (needs the extra laketag[demo]).",
        ),
    ] = False,
) -> None:
    """Make a small image lake, label it, and show the result; offline, in about a minute."""
    from laketag.demo.lake import write_demo_images

    console = open_console()
    _clear(folder)
    console.print(f"drawing pictures into {folder / 'images'}")
    pictures = write_demo_images(folder / "images")
    settings = write_settings(folder)
    descriptions = folder / "descriptions.json"
    descriptions.write_bytes((Path(__file__).parent.parent / "demo" / "descriptions.json").read_bytes())
    with ExitStack() as stack:
        stack.enter_context(environment({"RAY_ADDRESS": None}))  # on this machine, whatever else there is
        source, root = str(folder / "images"), str(folder / "lake")
        if serve_s3:
            from laketag.jobs.local_s3 import serve_bucket, upload_folder

            bucket = stack.enter_context(serve_bucket("laketag-demo", console))
            upload_folder(folder / "images", f"{bucket}/images")
            source, root = f"{bucket}/images", f"{bucket}/lake"
        _label(source, root, settings, descriptions, stack, console)
        show_accuracy(
            root,
            {picture.path.name: picture.difficulty for picture in pictures if picture.difficulty},
            console,
        )
        _ask(root, console)
        if serve_s3 and sys.stdin.isatty() and sys.stdout.isatty():
            console.print("the S3 server stays up for your queries until you press Enter")
            sys.stdin.readline()


def write_settings(folder: Path) -> Path:
    """A settings file for the demo's tiny model, in the folder."""
    package = Path(__file__).parent.parent / "demo"
    text = (
        (package / "settings.toml")
        .read_text()
        .replace("local-dir:demo/model", f"local-dir:{package / 'model'}")
    )
    file = folder / "settings.toml"
    file.write_text(text)
    return file


def _clear(folder: Path) -> None:
    """The folder holds nothing that an earlier demo labelled; one that no demo made is left alone."""
    marker = folder / MARKER
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is no folder; name another one with --folder")
    if folder.exists() and any(folder.iterdir()) and not marker.exists():
        raise InputError(f"{folder} is not empty and no demo made it; name another one with --folder")
    for made in ("images", "lake"):
        shutil.rmtree(folder / made, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    marker.touch()


def _label(
    source: str, root: str, settings: Path, descriptions: Path, stack: ExitStack, console: Console
) -> None:
    """Index, describe, and label with both methods, each shown as the command that it is."""
    from laketag.jobs.describe import describe
    from laketag.jobs.index import index
    from laketag.jobs.label import label
    from laketag.pipeline.cluster.ray_runtime import ray_runtime

    _step(console, f"laketag index {source} --root {root} --collection {COLLECTION} --class-from-folder")
    index(source, root, COLLECTION, class_from_folder=True, settings=settings)
    stack.enter_context(ray_runtime())  # one Ray for all that follows; each command alone would start its own
    _step(console, f"laketag describe {descriptions} --root {root} --set {SET} --settings {settings}")
    describe(str(descriptions), root, SET, settings=settings)
    for method in ("clip", "abs"):
        override = f"method.name={method}"
        _step(
            console,
            f"laketag label --root {root} -c {COLLECTION} -s {SET} --settings {settings} -o {override}",
        )
        label(root, COLLECTION, SET, settings=settings, override=[override])


def show_accuracy(root: str, levels: Mapping[str, str], console: Console) -> None:
    """Print how often each method is right, by how large the object is drawn."""
    from laketag.demo.scenes import DIFFICULTIES
    from laketag.pipeline.lake.runs import read_runs, scan_labels
    from laketag.pipeline.lake.snapshots import latest_snapshot, scan_snapshot

    lake = open_lake(root, read_settings().storage)
    truth = scan_snapshot(lake, latest_snapshot(lake, COLLECTION)).select("image_id", "true_class")
    runs = read_runs(lake, COLLECTION)
    console.print("top-1 accuracy on the same pictures", style="bold")
    table = Table()
    table.add_column("pictures")
    columns = {}
    for run in runs.iter_slices(1):
        method = run["method"].item()
        rows = (
            scan_labels(lake, run).filter(pl.col("label").is_not_null()).join(truth, on="image_id").collect()
        )
        level = (
            rows["uri"]
            .str.split("/")
            .list.last()
            .replace_strict(levels, default=None, return_dtype=pl.String)
        )
        columns[method] = rows.select(right=pl.col("label") == pl.col("true_class")).with_columns(level=level)
        table.add_column(method, justify="right")
    for name in (level for level in DIFFICULTIES if level in levels.values()):
        _add_accuracies(
            table, name, [frame.filter(pl.col("level") == name)["right"] for frame in columns.values()]
        )
    _add_accuracies(table, "all", [frame["right"] for frame in columns.values()])
    console.print(table)


def _add_accuracies(table: Table, name: str, right: list[pl.Series]) -> None:
    table.add_row(f"{name} ({len(right[0])})", *(f"{series.sum() / len(series):.0%}" for series in right))


def _ask(root: str, console: Console) -> None:
    """Show some labels with their evidence and the failures, each by the command that asks for it."""
    from laketag.jobs.query import failures, labels, summary

    _step(console, f"laketag query labels --root {root} --collection {COLLECTION} --limit 8")
    labels(root=root, collection=COLLECTION, limit=8)
    _step(console, f"laketag query failures --root {root}")
    failures(root=root)
    _step(console, f"laketag query summary --root {root} --limit 5")
    summary(root=root, limit=5)
    console.print("\nto go on with:", style="bold")
    for command in (
        f"laketag query tags --root {root} --min-probability 0.3",
        f'laketag query sql "SELECT label, count(*) AS images FROM labels GROUP BY label" --root {root}',
        f"laketag query labels --root {root} --output labels.csv",
    ):
        console.print(f"  {command}", style="cyan", soft_wrap=True)


def _step(console: Console, command: str) -> None:
    """Print a step as the command that a user would type."""
    console.print()
    console.print(f"$ {command}", style="bold cyan", soft_wrap=True)

"""``laketag demo``: a small lake of drawn pictures, labelled and queried, on this machine and offline."""

import os
import shutil
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import polars as pl
from rich.console import Console
from rich.table import Column, Table

from laketag.jobs.console import open_console
from laketag.jobs.options import flag, value
from laketag.jobs.query import Shown, query
from laketag.pipeline.errors import InputError
from laketag.pipeline.lake import queries
from laketag.pipeline.lake.paths import open_lake
from laketag.pipeline.lake.snapshots import latest_snapshot, scan_snapshot
from laketag.pipeline.screen import Screen
from laketag.pipeline.settings_file import read_settings

COLLECTION = "drawings"
SET = "drawings"
MARKER = ".laketag-demo"
"""A file in folders that a demo made."""
DATA = Path(__file__).parent.parent / "demo"


OPTIONS = {
    "folder": value(Path, "--folder", help="Where the pictures and the lake go; replaced if a demo made it."),
    "serve_s3": flag(
        "--serve-s3", help="Do the same through an S3 server on this machine (needs the extra laketag[demo])."
    ),
}


def demo(folder: Path = Path("laketag-demo"), serve_s3: bool = False) -> None:
    """Make a small image lake, label it, and show the result; offline, in about a minute."""
    from laketag.demo.lake import write_demo_images

    console = open_console()
    os.environ.pop("RAY_ADDRESS", None)  # the demo runs on this machine, even where a cluster is configured
    clear_folder(folder)
    console.print(f"drawing pictures into {folder / 'images'}")
    pictures = write_demo_images(folder / "images")
    levels = {picture.path.name: picture.difficulty for picture in pictures if picture.difficulty}
    write_settings(folder)
    shutil.copyfile(DATA / "descriptions.json", folder / "descriptions.json")
    source, root = str(folder / "images"), str(folder / "lake")
    with ExitStack() as stack:
        if serve_s3:
            from laketag.jobs.local_s3 import serve_bucket, upload_folder

            bucket = stack.enter_context(serve_bucket("laketag-demo", console))
            upload_folder(folder / "images", f"{bucket}/images")
            source, root = f"{bucket}/images", f"{bucket}/lake"
        label_pictures(source, root, folder, console)
        show_accuracy(root, levels, console)
        query_lake(root, console)
        show_report(root, folder, console)
        if serve_s3 and sys.stdin.isatty() and sys.stdout.isatty():
            console.print("the S3 server stays up for your queries until you press Enter")
            sys.stdin.readline()


def clear_folder(folder: Path) -> None:
    """The folder exists and holds no pictures and no lake of an earlier demo; InputError if it holds others' files."""
    marker = folder / MARKER
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is not a folder; name another one with --folder")
    if folder.exists() and any(folder.iterdir()) and not marker.exists():
        raise InputError(f"{folder} is not empty and was not made by a demo; name another one with --folder")
    for made in ("images", "lake"):
        shutil.rmtree(folder / made, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    marker.touch()


def write_settings(folder: Path) -> Path:
    """A settings file for the demo's tiny model, in the folder."""
    text = (DATA / "settings.toml").read_text(encoding="utf-8")
    file = folder / "settings.toml"
    file.write_text(
        text.replace("local-dir:laketag/demo/model", f"local-dir:{DATA / 'model'}"), encoding="utf-8"
    )
    return file


def label_pictures(source: str, root: str, folder: Path, console: Console) -> None:
    """Index, describe, and label with both methods; each step is printed as the command that does it."""
    from laketag.jobs.describe import describe
    from laketag.jobs.index import index
    from laketag.jobs.label import label
    from laketag.pipeline.cluster.ray_runtime import ray_runtime
    from laketag.pipeline.cluster.ray_wait import say_ray_starts

    settings, descriptions = folder / "settings.toml", str(folder / "descriptions.json")
    _print_command(
        console, f"laketag index {source} --root {root} --collection {COLLECTION} --class-from-folder"
    )
    index(source, root, COLLECTION, class_from_folder=True, console=console)
    say_ray_starts(Screen(console))
    with ray_runtime():  # one Ray for the steps that follow; each would start its own
        _print_command(
            console, f"laketag describe {descriptions} --root {root} --set {SET} --settings {settings}"
        )
        describe(descriptions, root, SET, settings=settings, console=console)
        for method in ("clip", "abs"):
            override = f"method.name={method}"
            _print_command(
                console,
                f"laketag label --root {root} -c {COLLECTION} -s {SET} --settings {settings} -o {override}",
            )
            label(root, COLLECTION, SET, settings=settings, override=[override], console=console)


def show_accuracy(root: str, levels: Mapping[str, str], console: Console) -> None:
    """Print how often each method is right, by the difficulty of the pictures; ``levels`` has it by file name."""
    from laketag.demo.scenes import DIFFICULTIES

    lake = open_lake(root, read_settings().storage)
    truth = scan_snapshot(lake, latest_snapshot(lake, COLLECTION)).select("image_id", "true_class")
    level = pl.col("uri").str.split("/").list.last().replace_strict(levels, default=None)
    right = pl.concat(
        queries.labels(root, run_id=run)
        .join(truth, on="image_id")
        .select(method=pl.lit(method), level=level, right=pl.col("label") == pl.col("true_class"))
        for run, method in queries.runs(root).select("run_id", "method").collect().iter_rows()
    ).collect()
    console.print("top-1 accuracy on the same pictures", style="bold")
    methods = right["method"].unique(maintain_order=True).to_list()
    table = Table("pictures", *(Column(method, justify="right") for method in methods))
    for name in (*DIFFICULTIES, "all"):
        rows = right if name == "all" else right.filter(pl.col("level") == name)
        of_method = rows.group_by("method", maintain_order=True).agg(pl.len(), pl.col("right").mean())
        if not rows.is_empty():
            table.add_row(f"{name} ({of_method['len'][0]})", *(f"{mean:.0%}" for mean in of_method["right"]))
    console.print(table)


def query_lake(root: str, console: Console) -> None:
    """Print some labels with their evidence, the failures and a summary, each after the command that shows it."""
    _print_command(console, f"laketag query labels --root {root} --collection {COLLECTION} --limit 8")
    query("labels", root, Shown(limit=8), collection=COLLECTION)
    _print_command(console, f"laketag query failures --root {root}")
    query("failures", root, Shown())
    _print_command(console, f"laketag query summary --root {root} --limit 5")
    query("summary", root, Shown(limit=5))
    console.print("\ncommands to try next:", style="bold")
    for command in (
        f"laketag query tags --root {root} --min-probability 0.3",
        f'laketag query sql "SELECT label, count(*) AS images FROM labels GROUP BY label" --root {root}',
        f"laketag query labels --root {root} --output labels.csv",
    ):
        console.print(f"  {command}", style="cyan", soft_wrap=True)


def show_report(root: str, folder: Path, console: Console) -> None:
    """Write the report on the labels beside the lake, after the command that does so."""
    from laketag.jobs.report import report

    settings, page = folder / "settings.toml", folder / "report.html"
    _print_command(
        console, f"laketag report --root {root} --collection {COLLECTION} --settings {settings} --to {page}"
    )
    report(root, COLLECTION, settings=settings, to=str(page), console=console)


def _print_command(console: Console, command: str) -> None:
    console.print()
    console.print(f"$ {command}", style="bold cyan", soft_wrap=True)

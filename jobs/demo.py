"""``laketag demo``: a small lake of drawn pictures, labelled and asked, on this machine and offline."""

import os
import shlex
import shutil
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import polars as pl
import typer
from rich.console import Console
from rich.rule import Rule
from rich.table import Table

from pipeline.config import read_settings
from pipeline.errors import InputError
from pipeline.lake import open_lake

COLLECTION = "drawings"
SET = "drawings"


def demo(
    folder: Annotated[Path, typer.Option(help="Where the pictures and the lake go; replaced if a demo made it.")] = Path("laketag-demo"),
    serve_s3: Annotated[
        bool, typer.Option("--serve-s3", help="Do the same through an S3 server on this machine (needs the extra laketag[demo]).")
    ] = False,
) -> None:
    """Make a small image lake, label it, and show the result; offline, in about a minute."""
    from demo.lake import write_demo_images

    console = Console(width=None if sys.stdout.isatty() else 110)
    _clear(folder)
    console.print(f"drawing pictures into {folder / 'images'}")
    pictures = write_demo_images(folder / "images")
    settings = write_settings(folder)
    descriptions = folder / "descriptions.json"
    descriptions.write_bytes((Path(__file__).parent.parent / "demo" / "descriptions.json").read_bytes())
    with ExitStack() as stack:
        source, root = str(folder / "images"), str(folder / "lake")
        if serve_s3:
            from jobs.local_s3 import serve_bucket, upload_folder

            bucket = stack.enter_context(serve_bucket("laketag-demo", console))
            upload_folder(folder / "images", f"{bucket}/images")
            source, root = f"{bucket}/images", f"{bucket}/lake"
        _label(source, root, settings, descriptions, stack, console)
        show_accuracy(root, {picture.path.name: picture.level for picture in pictures}, console)
        _ask(root, console)
        if serve_s3 and sys.stdin.isatty() and sys.stdout.isatty():
            console.print("the S3 server stays up for your queries until you press Enter")
            sys.stdin.readline()

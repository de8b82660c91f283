"""Seconds of five nights in a row in a folder and on S3 (Ceph where it is installed), each a process of its own.

The nights meet new images, changed ones beside new ones, deleted ones, a changed description, and nothing to do.
"""

import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.benches.indexing import serve_s3
from tests.end_to_end.command_line import must_spawn
from tests.end_to_end.test_nights import put, write_night_file
from tests.models.tiny import save_local_dir
from tests.stores.store import Store, folder_store, new_bucket

IMAGES = 200
TEXTS = {"cat": ["A cat has whiskers."], "dog": ["A dog wags its tail."], "bird": ["A bird has feathers."]}


def run() -> None:
    """Measure on a folder and on an S3 server, and print a table."""
    table = Table("store", "night", "changed", "labelled", "index, s", "describe, s", "label, s", "whole, s")
    with tempfile.TemporaryDirectory(prefix="laketag-bench-") as name:
        folder = Path(name)
        settings = folder / "settings.toml"
        settings.write_text(
            f'[backbone]\npretrained = "local-dir:{save_local_dir(folder / "model")}"\n'
            '[attention]\nname = "backbone"\n[method]\ncrops = 4\n'
        )
        measure(table, "folder", folder_store(folder / "store"), settings)
        with serve_s3(folder) as (store, endpoint):
            measure(table, f"S3 ({store})", new_bucket(store, endpoint), settings)
    Console().print(table)


def measure(table: Table, name: str, store: Store, settings: Path) -> None:
    """Five nights of one collection; a row of the table for each."""
    with tempfile.TemporaryDirectory(prefix="laketag-nights-") as folder:
        file, texts = write_night_file(Path(folder), store, settings), Path(folder) / "texts.json"
        texts.write_text(json.dumps(TEXTS))
        for night, change in CHANGES.items():
            change(store, texts)
            began_s = time.perf_counter()
            done = json.loads(must_spawn("nightly", str(file), "--json", env=store.env))
            whole_s = time.perf_counter() - began_s
            changes = (
                f"{done['new']} new, {done['changed']} changed, {done['gone']} gone, {done['embedded']} texts"
            )
            steps = [f"{done[f'{step}_s'] or 0:.1f}" for step in ("index", "describe", "label")]
            row = (name, night, changes, str(done["labelled"]), *steps, f"{whole_s:.1f}")
            table.add_row(*row)
            print(*row, sep=" | ", flush=True)


def _add_and_change(store: Store, _: Path) -> None:
    put(
        store,
        {number: number for number in range(IMAGES, IMAGES + 20)}
        | {number: 1000 + number for number in range(10)},
    )


def _delete(store: Store, _: Path) -> None:
    for number in range(10, 20):
        store.delete(f"images/{number:02}.png")


CHANGES: dict[str, Callable[[Store, Path], object]] = {
    "new images": lambda store, _: put(store, {number: number for number in range(IMAGES)}),
    "new and changed images": _add_and_change,
    "deleted images": _delete,
    "a changed description": lambda _, texts: texts.write_text(
        texts.read_text().replace("wags its tail", "barks")
    ),
    "nothing": lambda *_: None,
}

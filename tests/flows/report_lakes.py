"""Lakes of made-up labels over real pictures, for reports."""

import random
from pathlib import Path

import polars as pl
from PIL import Image

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.lake.paths import Lake, open_lake
from laketag.pipeline.lake.snapshots import write_snapshot
from laketag.schemas import FAILURES, ImageIndex
from tests.flows.indexed import index
from tests.lake.label_rows import label_row
from tests.lake.run_rows import write_run

CLASSES = ("cat", "dog", "bird", "fish", "horse")
HOSTILE = (
    "<script>alert('class')</script>",
    '"><img src=x onerror=alert(1)>',
    "' autofocus onfocus=alert(2) x='",
    "\u202eright to left\u202c שלום",
    "{{ 7 * 7 }}</style></title><svg onload=alert(3)>",
    "long " * 4_000,
)
HOSTILE_FILES = (
    "<img src=x onerror=alert(4)>.png",
    "' onmouseover='alert(5).png",
    "\u202egnp.txt",
    "&lt;b&gt;.png",
    "a" * 200 + ".png",
)


def draw_pictures(folder: Path, names: list[str]) -> None:
    """Small pictures of these names are in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        picture = Image.new("RGB", (64, 48), (37 * number % 256, 91 * number % 256, 160))
        picture.paste((250, 240, 200), (8, 8, 28 + number % 20, 36))
        picture.save(folder / name, "PNG")


def write_labelled(
    root: Path, rows: int, classes: tuple[str, ...] = CLASSES, files: tuple[str, ...] = (), *, runs: int = 2
) -> Lake:
    """A lake whose collection ``photos`` has this number of images, labelled by several classifiers; a fiftieth have failed.

    The images are copies, under ids of their own, of a few hundred files below ``root/images``; these are drawn unless there are
    some. Each has a true class.
    """
    if not (root / "images").exists():
        names = [*files, *(f"{number:03}.png" for number in range(min(rows, 300) - len(files)))]
        draw_pictures(root / "images", names)
    found = index(root / "images", root / "scratch").rows
    copies = found.select("uri", "etag", "size_bytes")[[number % found.height for number in range(rows)]]
    rng = random.Random(0)
    ids = [f"{number:08}" for number in range(rows)]
    true = [rng.choice(classes) for _ in ids]
    frame = copies.with_columns(image_id=pl.Series(ids), true_class=pl.Series(true))
    frame = pl.concat([ImageIndex.create_empty(), frame], how="diagonal_relaxed").cast(
        ImageIndex.create_empty().schema
    )
    lake = open_lake(str(root / "lake"), StorageSettings())
    write_snapshot(lake, "photos", [frame])
    for run in range(1, runs + 1):
        labelled = []
        for image_id, uri, etag, true_class in zip(ids, copies["uri"], copies["etag"], true, strict=True):
            failure = rng.choice(FAILURES) if rng.random() < 0.02 else None
            label = true_class if rng.random() < 0.6 else rng.choice(classes)
            share = rng.uniform(0.3, 1)
            row = label_row(
                image_id,
                etag=etag,
                label=label,
                probability=share,
                failure=failure,
                age_s=-len(labelled) % 600,
            )
            row["uri"] = uri
            if failure is None:
                other = rng.choice(classes)
                rest = 0.9 * (1 - share)
                row |= {
                    "margin": rng.uniform(0, 9),
                    "width_px": 64,
                    "height_px": 48,
                    "tags": [{"label": label, "probability": share}, {"label": other, "probability": rest}],
                    "evidence": {
                        "x0_px": 8,
                        "y0_px": 8,
                        "x1_px": 40,
                        "y1_px": 36,
                        "description": f"It is {label}: {rng.choice(classes)}",
                    },
                }
            labelled.append(row)
        write_run(lake, run, labelled, classifier=f"c1a551f1e{run}")
    return lake

"""Seconds to index 100,000 keys, and to find nothing to do among them, on a folder and on S3 (Ceph where it is installed)."""

import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
from rich.console import Console
from rich.table import Table

from laketag.pipeline.classifier.choose_classifier import choose_classifier
from laketag.pipeline.flows.describe_classes import DescribeRequest, describe_classes
from laketag.pipeline.flows.index_images import IndexRequest, index_images
from laketag.pipeline.flows.label_images import label_images
from laketag.pipeline.flows.plan_run import LabelRequest, OtherRuns, find_work, plan_run
from laketag.pipeline.images.read_source import Source
from laketag.pipeline.lake.description_versions import latest_embedded_set
from laketag.pipeline.lake.lease import hold_lease
from laketag.pipeline.lake.paths import Lake, open_lake
from laketag.pipeline.lake.publish import publish
from laketag.pipeline.lake.runs import read_runs
from laketag.pipeline.lake.staging import Run, scan_plan, write_part
from laketag.pipeline.screen import Screen
from laketag.pipeline.settings_file import read_settings
from laketag.pipeline.stages.description_files import DescriptionFile
from tests.end_to_end.command_line import must_spawn, overrides
from tests.models.tiny import save_local_dir
from tests.stores.ceph_gateway import missing_programs, serve_ceph
from tests.stores.moto_server import serve_moto
from tests.stores.store import OWNER, new_bucket, s3_env

KEYS = 100_000
FOLDERS = 100
QUIET = Screen(Console(quiet=True))


def run() -> None:
    """Measure on a folder and on an S3 server, and print a table."""
    table = Table(
        "store", "keys", "index, s", "plan: nothing to do, s", "whole second call, s", "idle night, s"
    )
    with tempfile.TemporaryDirectory(prefix="laketag-bench-") as name:
        folder = Path(name)
        model = save_local_dir(folder / "model")
        (folder / "classes.txt").write_text("cat\ndog\n")
        for number in range(KEYS):
            file = folder / "images" / f"{number % FOLDERS:03}" / f"{number:07}.jpg"
            if number < FOLDERS:
                file.parent.mkdir(parents=True)
            file.write_bytes(b"x")
        table.add_row(
            "folder", f"{KEYS:,}", *measure(folder, str(folder / "images"), str(folder / "lake"), model, {})
        )
        with serve_s3(folder) as (store, endpoint):
            os.environ.update(s3_env(endpoint))
            bucket = new_bucket(store, endpoint)
            upload(folder / "images", bucket.url("images"))
            table.add_row(
                f"S3 ({store})",
                f"{KEYS:,}",
                *measure(folder, bucket.url("images"), bucket.url("lake"), model, s3_env(endpoint)),
            )
    Console().print(table)


def measure(folder: Path, images: str, root: str, model: Path, env: dict[str, str]) -> tuple[str, ...]:
    """Seconds to index, to plan when all is done, of the second ``laketag label`` as a whole, and of an idle night."""
    chosen = (f'backbone.pretrained="local-dir:{model}"', 'method.name="clip"')
    settings = read_settings(overrides=chosen)
    lake = open_lake(root, settings.storage)
    began = time.perf_counter()
    index_images(lake, IndexRequest(source=Source(url=images), collection="c"))
    indexed = time.perf_counter() - began
    describe_classes(
        lake,
        DescribeRequest(description_set="s", file=DescriptionFile(str(folder / "classes.txt"))),
        settings,
        QUIET,
    )
    request = LabelRequest(collection="c", description_set="s")
    classifier = choose_classifier(settings, latest_embedded_set(lake, "s"))
    planned = plan_run(
        lake,
        find_work(lake, request, classifier.fingerprint, settings, OtherRuns(read_runs(lake))),
        classifier,
        settings,
    )
    pretend_to_label(lake, planned)
    label_images(lake, request, settings, QUIET)  # imports and clients are warm after it
    began = time.perf_counter()
    label_images(lake, request, settings, QUIET)
    nothing = time.perf_counter() - began
    began = time.perf_counter()
    must_spawn("label", "--root", root, "-c", "c", "-s", "s", *overrides(*chosen), env=env)
    whole = time.perf_counter() - began
    night = folder / "night.toml"
    night.write_text(
        f'root = "{root}"\n[[collection]]\nsource = "{images}"\ncollection = "c"\nset = "s"\n'
        'descriptions = "classes.txt"\n'
    )
    began = time.perf_counter()
    line = json.loads(must_spawn("nightly", str(night), "--json", *overrides(*chosen), env=env))
    idle = time.perf_counter() - began
    work = sum(line[f"{step}_s"] for step in ("index", "describe", "label", "verify") if line[f"{step}_s"])
    return f"{indexed:.1f}", f"{nothing:.1f}", f"{whole:.1f}", f"{work:.1f} of {idle:.1f}"


def pretend_to_label(lake: Lake, planned: Run) -> None:
    """Publish a made-up label for each planned image: planning is measured here, not labelling."""
    rows = scan_plan(lake, planned.run_id).collect()
    labels = rows.select("image_id", "uri", "etag").with_columns(
        label=pl.lit("cat"),
        probability=pl.lit(1.0, pl.Float32),
        score=pl.lit(1.0, pl.Float32),
        margin=pl.lit(1.0, pl.Float32),
        tags=pl.lit([{"label": "cat", "probability": 1.0}]),
        evidence=pl.struct(x0_px=0, y0_px=0, x1_px=1, y1_px=1, description=pl.lit("a cat")),
        width_px=pl.lit(1),
        height_px=pl.lit(1),
        failure=pl.lit(None, pl.String),
        failure_detail=pl.lit(None, pl.String),
        attempts=pl.lit(1),
        earlier_attempts=pl.lit(None, pl.Int32),
        failure_depended_on=pl.lit(None, pl.String),
        run_id=pl.lit(planned.run_id),
        labelled_at=pl.lit(datetime.now(UTC)),
    )
    write_part(lake, planned.run_id, labels)
    with hold_lease(lake, "bench") as lease:
        publish(lake, planned, lease)


def upload(folder: Path, url: str) -> None:
    """All files of the folder are objects under the URL."""
    from laketag.pipeline.store.schemes import open_filesystem

    filesystem, path = open_filesystem(url, read_settings().storage)
    files = [file for file in folder.rglob("*") if file.is_file()]
    for start in range(0, len(files), 5_000):
        part = files[start : start + 5_000]
        filesystem.pipe({f"{path}/{file.relative_to(folder).as_posix()}": file.read_bytes() for file in part})


@contextmanager
def serve_s3(folder: Path) -> Iterator[tuple[str, str]]:
    """A running S3 server: Ceph if its programs are there, else moto."""
    if missing_programs():
        with serve_moto(folder / "moto") as url:
            yield "moto", url
        return
    with tempfile.TemporaryDirectory(prefix="ceph-") as ceph, serve_ceph(Path(ceph), (OWNER,)) as url:
        yield "Ceph", url

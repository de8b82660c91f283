"""Images/s of the whole flow and of the bare classifier on the same decoded images, in one run, with their ratio.

The flow's rate counts from the first staged part to the last, so that starting Ray and loading the models, which take the
same time for any number of images, do not count; the bare classifier's rate counts its calls after one to warm up.
"""

import os
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
from rich.console import Console
from rich.table import Table

from laketag.pipeline.classifier.choose_classifier import choose_classifier, find_classifier
from laketag.pipeline.classifier.class_texts import ClassTexts
from laketag.pipeline.cluster.execution import open_blocks
from laketag.pipeline.cluster.ray_runtime import ray_runtime
from laketag.pipeline.cluster.resources import CPU_BATCH, decide_resources
from laketag.pipeline.cluster.work_notes import WorkNotes
from laketag.pipeline.config import Settings
from laketag.pipeline.flows.describe_classes import DescribeRequest, describe_classes
from laketag.pipeline.flows.index_images import IndexRequest, index_images
from laketag.pipeline.flows.label_attempts import Labelling
from laketag.pipeline.flows.label_images import label_chain
from laketag.pipeline.flows.plan_run import LabelRequest, OtherRuns, find_work, plan_run
from laketag.pipeline.images.read_source import Source
from laketag.pipeline.lake.description_versions import latest_embedded_set
from laketag.pipeline.lake.lease import hold_lease
from laketag.pipeline.lake.paths import Lake, open_lake
from laketag.pipeline.lake.runs import read_runs
from laketag.pipeline.lake.staging import Run, scan_plan
from laketag.pipeline.screen import Screen
from laketag.pipeline.settings_file import read_settings
from laketag.pipeline.stages.class_texts import load_class_texts
from laketag.pipeline.stages.death_watch import DeathWatch
from laketag.pipeline.stages.decode_images import decode_images
from laketag.pipeline.stages.description_files import DescriptionFile
from laketag.pipeline.stages.fetch_images import fetch_images
from tests.benches.lakes import save_random_clip, save_random_vit, write_pictures

IMAGES = {"abs": 48, "clip": 256}
SIZE_PX = (500, 375)
CLASSES = 20
ARCHITECTURE = "ViT-B-32"
ATTENTION = "vit_small_patch16_224.dino"
CROPS = 8
QUIET = Screen(Console(quiet=True))


def run() -> None:
    """Measure ABS and CLIP and print a table."""
    threads = os.cpu_count() or 1
    table = Table("method", "images", "flow, images/s", "bare classifier, images/s", "ratio")
    with tempfile.TemporaryDirectory(prefix="laketag-bench-") as name:
        folder = Path(name)
        model = save_random_clip(folder / "clip", ARCHITECTURE)
        attention = save_random_vit(folder / "dino.safetensors", ATTENTION)
        classes = folder / "classes.txt"
        classes.write_text("\n".join(f"thing number {number}" for number in range(CLASSES)))
        for method, images in IMAGES.items():
            settings = read_settings(
                overrides=(
                    f'backbone.pretrained="local-dir:{model}"',
                    f'attention.name="{ATTENTION}"',
                    f'attention.weights="{attention}"',
                    f"method.name={method}",
                    f"method.crops={CROPS}",
                    f"run.threads_per_actor={threads}",
                )
            )
            write_pictures(folder / method, images, SIZE_PX)
            lake = open_lake(str(folder / f"lake-{method}"), settings.storage)
            index_images(lake, IndexRequest(source=Source(url=str(folder / method)), collection="c"))
            with ray_runtime():
                describe_classes(
                    lake,
                    DescribeRequest(description_set="s", file=DescriptionFile(str(classes))),
                    settings,
                    QUIET,
                )
                classifier = choose_classifier(settings, latest_embedded_set(lake, "s"))
                request = LabelRequest(collection="c", description_set="s")
                work = find_work(lake, request, classifier.fingerprint, settings, OtherRuns(read_runs(lake)))
                planned = plan_run(lake, work, classifier, settings)
                with hold_lease(lake, "bench") as lease:
                    flow = measure_flow(
                        Labelling(
                            lake=lake,
                            run=planned,
                            classifier=classifier,
                            settings=settings,
                            lease=lease,
                            screen=QUIET,
                        )
                    )
            bare = measure_classifier(lake, planned, settings, threads)
            table.add_row(method, f"{images}", f"{flow:.2f}", f"{bare:.2f}", f"{flow / bare:.2f}")
    print(
        f"{ARCHITECTURE} + {ATTENTION}, {CROPS} crops of each kind, {SIZE_PX[0]}×{SIZE_PX[1]} JPEG, {threads} torch threads"
    )
    Console().print(table)


def measure_flow(labelling: Labelling) -> float:
    """Images/s of the chain, from the first staged part to the last."""
    pending = scan_plan(labelling.lake, labelling.run.run_id).collect()
    with ray_runtime() as runtime:
        resources = decide_resources(runtime, labelling.settings.run, pending.height)
        began, done, first = 0.0, 0, 0
        watch = DeathWatch(WorkNotes(labelling.run.run_id), deaths=1)
        with open_blocks(label_chain(labelling, pending, resources, watch)) as blocks:
            for receipt in (row for block in blocks for row in block.to_pylist()):
                if not began:
                    began, first = time.perf_counter(), receipt["images"]
                done += receipt["images"]
            return (done - first) / (time.perf_counter() - began)


def measure_classifier(lake: Lake, planned: Run, settings: Settings, threads: int) -> float:
    """Images/s of the classifier alone on the same images, decoded before."""
    embedded_set = latest_embedded_set(lake, planned.description_set)
    spec = find_classifier(settings, embedded_set)
    texts: ClassTexts = load_class_texts(lake, planned.description_set, planned.description_version)
    classifier = spec.load(texts, device="cpu", threads=threads)
    plan = scan_plan(lake, planned.run_id).collect().to_arrow()
    batch = decode_images(
        fetch_images(plan, fetch=settings.fetch, storage=settings.storage), decode=settings.decode
    )
    images, ids = [_pixels(batch, row) for row in range(batch.num_rows)], batch["image_id"].to_pylist()
    size = settings.run.batch_size or CPU_BATCH
    classifier.label(images[:size], ids[:size])
    began = time.perf_counter()
    for start in range(0, len(images), size):
        classifier.label(images[start : start + size], ids[start : start + size])
    return len(images) / (time.perf_counter() - began)


def _pixels(batch: pa.Table, row: int) -> np.ndarray:
    shape = batch["bounded_height_px"][row].as_py(), batch["bounded_width_px"][row].as_py(), 3
    return np.frombuffer(batch["rgb_u8"][row].as_buffer(), np.uint8).reshape(shape)

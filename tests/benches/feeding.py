"""How well the flow feeds its models: its rate over the bare classifier's and decoder's, and its own CPU time an image.

The flow's rate counts from the first staged part to the last, so that the start of Ray and the loading of the models, which
take the same time for any number of images, do not count. The bare ones get the same images in this process.
"""

import os
import pickle
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import numpy as np
import polars as pl
import psutil
import pyarrow as pa
from rich.console import Console

from laketag.pipeline.classifier.choose_classifier import ChosenClassifier, choose_classifier, find_classifier
from laketag.pipeline.classifier.class_texts import ClassTexts
from laketag.pipeline.classifier.methods import ImageLabel
from laketag.pipeline.cluster.execution import open_blocks
from laketag.pipeline.cluster.ray_runtime import ray_runtime
from laketag.pipeline.cluster.resources import CPU_BATCH, decide_resources
from laketag.pipeline.cluster.work_notes import WorkNotes
from laketag.pipeline.config import Settings
from laketag.pipeline.descriptions.embedded_set import EmbeddedSet
from laketag.pipeline.flows.describe_classes import DescribeRequest, describe_classes
from laketag.pipeline.flows.index_images import IndexRequest, index_images
from laketag.pipeline.flows.label_attempts import Labelling
from laketag.pipeline.flows.label_chain import label_chain
from laketag.pipeline.flows.plan_run import LabelRequest, OtherRuns, find_work, plan_run
from laketag.pipeline.images.read_source import Source
from laketag.pipeline.lake.description_versions import latest_embedded_set
from laketag.pipeline.lake.lease import hold_lease
from laketag.pipeline.lake.paths import Lake, open_lake
from laketag.pipeline.lake.runs import read_runs
from laketag.pipeline.lake.staging import scan_plan
from laketag.pipeline.screen import Screen
from laketag.pipeline.settings_file import read_settings
from laketag.pipeline.stages.class_texts import load_class_texts
from laketag.pipeline.stages.death_watch import DeathWatch
from laketag.pipeline.stages.decode_images import decode_images
from laketag.pipeline.stages.description_files import DescriptionFile
from laketag.pipeline.stages.fetch_images import fetch_images
from laketag.pipeline.stages.label_images import rgb_u8
from tests.benches.lakes import save_random_clip, save_random_vit, write_pictures
from tests.benches.rows import Row
from tests.lake.pets import write_pets

SIZE_PX = (500, 375)
CLASSES = 20
ARCHITECTURE = "ViT-B-32"
ATTENTION = "vit_small_patch16_224.dino"
CROPS = 16
FED_IMAGES = 32
NULL_IMAGES = int(os.environ.get("LAKETAG_BENCH_IMAGES", "1500"))
ROUNDS = 3
REPOSITORY = Path(__file__).parents[2]
QUIET = Screen(Console(quiet=True))
REQUEST = LabelRequest(collection="c", description_set="s")


def compare_in_folder() -> Iterator[Row]:
    """The flow over the smaller of the bare classifier's and decoder's rates, in a folder."""
    with tempfile.TemporaryDirectory(prefix="laketag-bench-") as name:
        folder = Path(name)
        write_pictures(folder / "images", FED_IMAGES, SIZE_PX)
        yield _compare("folder", folder, str(folder / "images"), str(folder / "lake"))


def compare_on_s3() -> Iterator[Row]:
    """The same on an S3 server of this machine, which takes a share of its cores."""
    from tests.benches.indexing import serve_s3, upload
    from tests.stores.store import new_bucket, s3_env

    with tempfile.TemporaryDirectory(prefix="laketag-bench-") as name:
        folder = Path(name)
        write_pictures(folder / "images", FED_IMAGES, SIZE_PX)
        with serve_s3(folder) as (server, endpoint), patch.dict(os.environ, s3_env(endpoint)):
            store = new_bucket(server, endpoint)
            upload(folder / "images", store.url("images"))
            yield _compare(f"S3 ({server})", folder, store.url("images"), store.url("lake"))


def _compare(where: str, folder: Path, images: str, root: str) -> Row:
    threads = os.cpu_count() or 1
    model = save_random_clip(folder / "clip", ARCHITECTURE)
    attention = save_random_vit(folder / "dino.safetensors", ATTENTION)
    classes = folder / "classes.txt"
    classes.write_text("\n".join(f"thing number {number}" for number in range(CLASSES)))
    settings = read_settings(
        overrides=(
            f'backbone.pretrained="local-dir:{model}"',
            f'attention.name="{ATTENTION}"',
            f'attention.weights="{attention}"',
            f"method.crops={CROPS}",
            f"run.threads_per_actor={threads}",
        )
    )
    lake = open_lake(root, settings.storage)
    index_images(lake, IndexRequest(source=Source(url=images), collection="c"))
    with ray_runtime():
        file = DescriptionFile(str(classes))
        describe_classes(lake, DescribeRequest(description_set="s", file=file), settings, QUIET)
        classifier = choose_classifier(settings, latest_embedded_set(lake, "s"))
        with plan(lake, classifier, settings) as labelling:
            bare = Bare(labelling)
            rounds = []
            for _ in range(ROUNDS):  # alternating, as other programs use the machine too
                flow = measure_flow(labelling).images_per_s
                rounds.append((flow, bare.classify_per_s(), bare.decode_per_s()))
                print(
                    f"# flow {flow:.2f}, classifier {rounds[-1][1]:.2f}, decoder {rounds[-1][2]:.0f}",
                    flush=True,
                )
    flow, classify, decode = (statistics.median(one) for one in zip(*rounds, strict=True))
    ratio = statistics.median(flow / min(classify, decode) for flow, classify, decode in rounds)
    return Row(
        what=f"flow ÷ the slower of classifier and decoder alone, {where}, {ARCHITECTURE}, {CROPS} crops",
        without=f"{min(classify, decode):.2f} images/s",
        with_=f"{flow:.2f} images/s",
        ratio=f"{ratio:.2f}",
        note=f"classifier {classify:.2f}, decoder {decode:.0f} images/s alone; median of {ROUNDS}",
    )


@contextmanager
def plan(lake: Lake, classifier: ChosenClassifier, settings: Settings) -> Iterator[Labelling]:
    """A run over all images of the collection, planned and leased."""
    work = find_work(lake, REQUEST, classifier.fingerprint, settings, OtherRuns(read_runs(lake)))
    run = plan_run(lake, work, classifier, settings)
    with hold_lease(lake, "bench") as lease:
        yield Labelling(
            lake=lake, run=run, classifier=classifier, settings=settings, lease=lease, screen=QUIET
        )


@dataclass(frozen=True)
class Flow:
    """What the chain did between its first and its last staged part."""

    images: int
    seconds: float
    cpu_s: Counter[str]
    """Of the driver, Ray's own processes and each stage's workers."""

    @property
    def images_per_s(self) -> float:
        """Images done in a second."""
        return self.images / self.seconds


def measure_flow(labelling: Labelling) -> Flow:
    """The chain has run once over all planned images."""
    pending = scan_plan(labelling.lake, labelling.run.run_id).collect()
    with ray_runtime() as runtime:
        resources = decide_resources(runtime, labelling.settings.run, pending.height)
        watch = DeathWatch(WorkNotes(labelling.run.run_id), deaths=1)
        images, began, cpu_began = 0, 0.0, Counter[str]()
        with open_blocks(label_chain(labelling, pending, resources, watch)) as blocks:
            for block in blocks:
                if began:
                    images += sum(block["images"].to_pylist())
                else:
                    began, cpu_began = time.perf_counter(), cpu_by_role()
            seconds, cpu_s = time.perf_counter() - began, cpu_by_role()
    cpu_s.subtract(cpu_began)
    return Flow(images, seconds, cpu_s)


ROLES = {
    "raylet": "Ray",
    "gcs_server": "Ray",
    "LabelImages": "label actor",
    "ray::": "fetch, decode and write tasks",
}


def cpu_by_role() -> Counter[str]:
    """CPU seconds until now of this process and of those that it has started, by what they are for."""
    found: Counter[str] = Counter()
    for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
        try:
            title, times = " ".join(process.cmdline()), process.cpu_times()
        except psutil.Error:  # it has ended
            continue
        is_own = process.pid == os.getpid()
        role = "driver" if is_own else next((role for word, role in ROLES.items() if word in title), "Ray")
        found[role] += times.user + times.system
    return found


class Bare:
    """The classifier and the decoder alone, on the images of a planned run."""

    def __init__(self, labelling: Labelling) -> None:
        self._settings, run, lake = labelling.settings, labelling.run, labelling.lake
        spec = find_classifier(self._settings, latest_embedded_set(lake, run.description_set))
        texts: ClassTexts = load_class_texts(lake, run.description_set, run.description_version)
        self._classifier = spec.load(texts, device="cpu", threads=self._settings.run.threads_per_actor)
        plan = scan_plan(lake, run.run_id).collect().to_arrow()
        self._fetched = fetch_images(plan, fetch=self._settings.fetch, storage=self._settings.storage)
        self._batch = decode_images(self._fetched, decode=self._settings.decode)

    def classify_per_s(self) -> float:
        """Images/s of the classifier, in batches as the flow has them."""
        images = [rgb_u8(self._batch, row) for row in range(self._batch.num_rows)]
        ids = self._batch["image_id"].to_pylist()
        self._classifier.label(images[:CPU_BATCH], ids[:CPU_BATCH])
        began = time.perf_counter()
        for start in range(0, len(images), CPU_BATCH):
            self._classifier.label(images[start : start + CPU_BATCH], ids[start : start + CPU_BATCH])
        return len(images) / (time.perf_counter() - began)

    def decode_per_s(self) -> float:
        """Images/s of the decoder on one core."""
        began = time.perf_counter()
        decode_images(self._fetched, decode=self._settings.decode)
        return int(self._fetched.num_rows) / (time.perf_counter() - began)


@dataclass(frozen=True)
class NullClassifier:
    """Labels without looking; its spec is itself."""

    descriptions: EmbeddedSet

    def load(self, _texts: ClassTexts, *, device: str, threads: int) -> "NullClassifier":
        """Itself, on any device."""
        assert (device, threads > 0) == ("cpu", True)
        return self

    def label(self, images: Sequence[np.ndarray], image_ids: Sequence[str]) -> list[ImageLabel]:
        """The same label for each."""
        assert len(images) == len(image_ids)
        return [ImageLabel((("dog", 0.75), ("cat", 0.25)), 1.0, 0.5, (0, 0, 1, 1), "It barks.")] * len(images)


def measure_null_model() -> Iterator[Row]:
    """CPU milliseconds an image of the whole flow beyond fetch and decode, with a model that does nothing."""
    with tempfile.TemporaryDirectory(prefix="laketag-bench-") as name, ExitStack() as stack:
        folder, root = Path(name), str(Path(name) / "lake")
        path = os.pathsep.join(filter(None, (str(REPOSITORY), os.environ.get("PYTHONPATH"))))
        stack.enter_context(patch.dict(os.environ, {"PYTHONPATH": path}))  # label actors import this file
        write_pictures(folder / "images", NULL_IMAGES, SIZE_PX)
        settings = Settings()
        lake = open_lake(root, settings.storage)
        index_images(lake, IndexRequest(source=Source(url=str(folder / "images")), collection="c"))
        spec = NullClassifier(write_pets(lake, "a" * 16))
        classifier = ChosenClassifier(
            fingerprint="0" * 16,
            description_set=spec.descriptions.name,
            description_version=spec.descriptions.version,
            method="abs",
            models={},
            decided_by={"decode_revision": 1, "label_revision": 1},
            pickled_spec=pickle.dumps(spec),
        )
        with ray_runtime(), plan(lake, classifier, settings) as labelling:
            rows = scan_plan(lake, labelling.run.run_id).collect()
            bare_s = statistics.median(_bare_cpu_s(rows, settings) for _ in range(ROUNDS))
            flow = measure_flow(labelling)
    each_ms = {role: 1000 * cpu_s / flow.images for role, cpu_s in flow.cpu_s.items()}
    rest_ms = sum(each_ms.values()) - 1000 * bare_s
    parts = ", ".join(f"{role} {ms:.1f}" for role, ms in sorted(each_ms.items(), key=lambda item: -item[1]))
    yield Row(
        what=f"CPU ms an image beyond fetch and decode, null model, folder, {flow.images:,} images",
        without=f"{1000 * bare_s:.2f} ms alone",
        with_=f"{sum(each_ms.values()):.2f} ms",
        ratio=f"{rest_ms:.2f} ms more",
        note=f"{parts}; {flow.images_per_s:.0f} images/s",
    )


def _bare_cpu_s(rows: pl.DataFrame, settings: Settings) -> float:
    """CPU seconds an image to fetch and decode some of the rows in this process, in blocks as the flow has them."""
    plan: pa.Table = rows.head(16 * 16).to_arrow()
    began = time.process_time()
    for start in range(0, plan.num_rows, 16):
        fetched = fetch_images(plan.slice(start, 16), fetch=settings.fetch, storage=settings.storage)
        decode_images(fetched, decode=settings.decode)
    return (time.process_time() - began) / int(plan.num_rows)

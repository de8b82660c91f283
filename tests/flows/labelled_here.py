"""Lakes with real labels that were made in this process: every stage of a run, one after the other, without Ray."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pyarrow as pa
from rich.console import Console

from laketag.pipeline.calibration.calibration import CalibratedClass, Calibration
from laketag.pipeline.calibration.shares import ShareRule
from laketag.pipeline.config import Settings
from laketag.pipeline.descriptions.embedded_set import EmbeddedSet
from laketag.pipeline.flows.decoded_images import reads_local_images
from laketag.pipeline.flows.kept_work import kept_files, locate, plan_work
from laketag.pipeline.flows.plan_run import LabelRequest, OtherRuns, look_up_classifier, plan_run
from laketag.pipeline.lake.calibrations import read_calibration, write_calibration
from laketag.pipeline.lake.description_versions import (
    latest_embedded_set,
    new_version,
    read_class_names,
    write_descriptions,
)
from laketag.pipeline.lake.kept_tables import kept_tables
from laketag.pipeline.lake.lease import hold_lease
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.publish import Published, publish
from laketag.pipeline.lake.run_work import Start
from laketag.pipeline.lake.runs import read_runs
from laketag.pipeline.models.choose_backbone import find_backbone
from laketag.pipeline.screen import Screen
from laketag.pipeline.settings_file import read_settings
from laketag.pipeline.stages.decode_images import decode_in_parts
from laketag.pipeline.stages.embed_descriptions import EmbedDescriptions
from laketag.pipeline.stages.fetch_images import fetch_in_parts
from laketag.pipeline.stages.kept_embeddings import read_in_parts
from laketag.pipeline.stages.label_images import LabelImages
from laketag.pipeline.stages.write_labels import write_labels
from laketag.schemas import Descriptions

PROJECT = Path(__file__).parent.parent.parent
QUIET = Screen(Console(quiet=True))


def demo_settings(**overrides: str) -> Settings:
    """The settings of the demo's tiny model, whatever the current folder is."""
    settings = read_settings(
        PROJECT / "demo/settings.toml", [f"{key}={value}" for key, value in overrides.items()]
    )
    backbone = settings.backbone.model_copy(update={"pretrained": f"local-dir:{PROJECT / 'demo/model'}"})
    return settings.model_copy(update={"backbone": backbone})


def demo_texts(classes: int | None = None) -> dict[str, list[str]]:
    """The demo's descriptions, of the first classes only where a number is given."""
    texts = json.loads((PROJECT / "demo/descriptions.json").read_text())
    return dict(list(texts.items())[:classes])


def describe_here(lake: Lake, name: str, texts: Mapping[str, Sequence[str]], settings: Settings) -> None:
    """The texts are a version of the set, embedded by the settings' model."""
    chosen = find_backbone(settings.backbone, settings.storage)
    prompt = settings.descriptions.label_prompt
    rows = [
        (class_name, position, text, None)
        for class_name, own in texts.items()
        for position, text in enumerate([prompt.format(class_name), *own], start=-1)
    ]
    columns = {"class_name": pl.String, "position": pl.Int32, "text": pl.String, "drop_reason": pl.String}
    table = pl.DataFrame(rows, schema=columns, orient="row").to_arrow(compat_level=pl.CompatLevel.oldest())
    embedded = pl.DataFrame(EmbedDescriptions(chosen.pickled_spec, device="cpu")(table))
    described = EmbeddedSet(
        name=name,
        version=new_version(lake, name, "labelledhere"),
        backbone=chosen.name,
        backbone_sha256=chosen.sha256,
        label_prompt=prompt,
    )
    write_descriptions(lake, described, embedded.select(Descriptions.column_names()), "tower")


def calibrate_here(lake: Lake, collection: str, set_name: str, settings: Settings) -> None:
    """Runs of the settings' classifier accept classes whose score is 2.5 spreads over the others of the image."""
    request = LabelRequest(collection=collection, description_set=set_name)
    classifier = look_up_classifier(lake, request, settings, QUIET, read_runs(lake))
    classes = tuple(
        CalibratedClass(name, mean=0.0, spread=1.0, threshold=2.5)
        for name in read_class_names(lake, latest_embedded_set(lake, set_name))
    )
    rule = ShareRule("score", exponent=1.0, views=16)
    made = Calibration(collection, classifier.fingerprint, classes, rule, factor=0.8)
    write_calibration(lake, made, {})


def label_here(
    lake: Lake, collection: str, set_name: str, settings: Settings, *, from_embeddings: bool = False
) -> Published:
    """A run over what is pending is labelled, from pixels or from kept embeddings, and published."""
    request = LabelRequest(collection=collection, description_set=set_name, from_embeddings=from_embeddings)
    finished = read_runs(lake)
    classifier = look_up_classifier(lake, request, settings, QUIET, finished)
    work = plan_work(lake, request, classifier, settings, OtherRuns(finished))
    run = plan_run(lake, work, classifier, settings)
    calibration = run.calibration and read_calibration(lake, collection, run.classifier, run.calibration)
    located = locate(lake, kept_files(classifier, collection, finished), work.rows)
    stage = LabelImages(
        lake=lake,
        run_id=run.run_id,
        pickled_spec=classifier.pickled_spec,
        device="cpu",
        threads=1,
        calibration=calibration or None,
        keep=run.keep,
        logit_scale=located.logit_scale if from_embeddings else None,
    )
    start = Start(datetime.now(UTC), fetch_slots=1, decode_slots=1)
    tables = (
        read_in_parts(located.rows.to_arrow(), lake=lake)
        if from_embeddings
        else _read_images(lake, work.rows, settings)
    )
    for table in tables:
        write_labels(
            stage(table),
            lake=lake,
            run_id=run.run_id,
            settings=settings,
            start=start,
            keep=kept_tables(run.keep),
        )
    with hold_lease(lake, "labelled here") as lease:
        published = publish(lake, run, lease)
    assert published is not None
    return published


def _read_images(lake: Lake, rows: pl.DataFrame, settings: Settings) -> Iterator[pa.Table]:
    fetch = settings.fetch.model_copy(update={"local_images": reads_local_images(lake, settings)})
    for part in rows.iter_slices(16):
        for fetched in fetch_in_parts(part.to_arrow(), fetch=fetch, storage=settings.source_storage):
            yield from decode_in_parts(fetched, decode=settings.decode)

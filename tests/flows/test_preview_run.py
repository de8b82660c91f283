"""What a dry run says: how many images, why, and how long; on a lake of an earlier version, and for each change."""

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from laketag.pipeline.classifier.choose_classifier import ChosenClassifier, choose_classifier
from laketag.pipeline.config import Settings, StorageSettings
from laketag.pipeline.flows.label_report import LabelReport
from laketag.pipeline.flows.plan_run import LabelRequest, OtherRuns, find_work, kept_settings, plan_run
from laketag.pipeline.flows.preview_run import name_differences, preview_run
from laketag.pipeline.lake import queries
from laketag.pipeline.lake.description_versions import latest_embedded_set
from laketag.pipeline.lake.lease import hold_lease
from laketag.pipeline.lake.paths import Lake, open_lake
from laketag.pipeline.lake.publish import publish
from laketag.pipeline.lake.runs import read_runs
from laketag.pipeline.lake.staging import scan_plan, write_part
from laketag.pipeline.screen import Screen
from laketag.pipeline.settings_file import read_settings
from tests.lake.label_rows import label_frame, label_row
from tests.lakes.test_earlier_lakes import HERE, MODEL

SCREEN = Screen(Console(file=io.StringIO()))
SETTINGS = read_settings(HERE / "settings.toml", overrides=[f'backbone.pretrained="local-dir:{MODEL}"'])


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A copy of the lake that laketag 0.1.0 wrote."""
    shutil.copytree(HERE / "lake", tmp_path / "lake")
    return open_lake(str(tmp_path / "lake"), StorageSettings())


@pytest.fixture(scope="module")
def classifier() -> ChosenClassifier:
    """Today's classifier with the descriptions of that lake."""
    return choose_classifier(
        SETTINGS, latest_embedded_set(open_lake(str(HERE / "lake"), StorageSettings()), "drawings")
    )


def preview(lake: Lake, limit: int | None = None) -> LabelReport:
    request = LabelRequest(collection="drawings", description_set="drawings", limit=limit)
    return preview_run(lake, request, SETTINGS, SCREEN)


def test_a_lake_of_an_earlier_version_is_labelled_again_for_the_reason_that_is_given(lake: Lake) -> None:
    before = {path: path.stat().st_mtime_ns for path in Path(lake.root).rglob("*")}
    report = preview(lake)
    assert report.preview is not None
    assert (report.preview.planned, report.preview.reasons) == (14, {"other classifier": 14})
    assert report.preview.differences == (
        "this laketag reads other pixels from the same files (decode_revision 1 → 2)",
        "this laketag makes other label rows from the same pixels (label_revision 1 → 2)",
    )
    assert report.preview.rate_of == queries.runs(lake.root).collect()["run_id"][-1]
    assert report.preview.estimate is not None
    assert (report.runs, report.exit_code) == ((), 0)
    assert json.loads(json.dumps(report.as_json()))["dry_run"]["planned"] == 14
    assert {path: path.stat().st_mtime_ns for path in Path(lake.root).rglob("*")} == before


def test_old_labels_stay_current_until_the_new_run_is_published(
    lake: Lake, classifier: ChosenClassifier
) -> None:
    def current() -> set[str]:
        return set(queries.labels(lake.root).collect()["classifier"])

    old = current()
    request = LabelRequest(collection="drawings", description_set="drawings")
    run = plan_run(
        lake,
        find_work(lake, request, classifier.fingerprint, SETTINGS, OtherRuns(read_runs(lake))),
        classifier,
        SETTINGS,
    )
    plan = scan_plan(lake, run.run_id).collect()
    rows = [label_row(name, run_id=run.run_id) for name in plan["image_id"]]
    write_part(lake, run.run_id, label_frame(rows).with_columns(plan["etag"]))
    report = preview(lake)
    assert report.preview is not None
    assert (report.preview.unfinished, report.preview.planned) == ({run.run_id: 0}, 0)
    assert current() == old == {report.labelled_last}
    with hold_lease(lake, "x") as lease:
        publish(lake, run, lease)
    assert current() == {classifier.fingerprint}
    assert (report := preview(lake)).preview is not None
    assert (report.preview.images, report.preview.unfinished) == (0, {})


def test_an_unfinished_run_comes_first_and_counts_towards_the_limit(
    lake: Lake, classifier: ChosenClassifier
) -> None:
    request = LabelRequest(collection="drawings", description_set="drawings", limit=4)
    run = plan_run(
        lake,
        find_work(lake, request, classifier.fingerprint, SETTINGS, OtherRuns(read_runs(lake))),
        classifier,
        SETTINGS,
    )
    for limit, planned, left in ((None, 10, 0), (4, 0, 10), (6, 2, 8)):
        report = preview(lake, limit)
        assert report.preview is not None
        assert report.preview.unfinished == {run.run_id: 4}
        assert (report.preview.planned, report.left) == (planned, left)
    sample = preview(lake, 3)  # the run has more left than that, and stays unfinished
    assert sample.preview is not None
    assert (sample.preview.unfinished, sample.preview.planned, sample.left) == ({}, 3, 11)


OVERRIDES = {
    "method.crops=3": "method.crops 50 → 3",
    "decode.short_side_px=64": "decode.short_side_px 512 → 64",
    "backbone.precision=bf16": "backbone.precision fp32 → bf16",
}


@pytest.mark.parametrize("override", OVERRIDES)
def test_settings_that_changed_are_named(classifier: ChosenClassifier, override: str) -> None:
    before = run_row(classifier, SETTINGS.model_copy(update={"method": Settings().method}))
    changed = read_settings(HERE / "settings.toml", overrides=["method.crops=50", override])
    now = replace(classifier, decided_by=decided_by(classifier, changed))
    assert OVERRIDES[override] in name_differences(before, now, changed)


def test_models_descriptions_and_versions_that_changed_are_named(classifier: ChosenClassifier) -> None:
    row = run_row(classifier, SETTINGS)
    models = {**classifier.models, "backbone": {"name": "B", "sha256": "f" * 64}}
    (said,) = name_differences(row, replace(classifier, models=models), SETTINGS)
    assert said.startswith("backbone model ")
    assert said.endswith(" → B (ffffffffffff)")
    (said,) = name_differences(row | {"description_version": "T-0000"}, classifier, SETTINGS)
    assert said == "the descriptions"
    rounded = replace(classifier, decided_by=classifier.decided_by | {"embeddings": "int8"})
    (said,) = name_differences(row | {"made_from": "embeddings=fp32"}, rounded, SETTINGS)
    assert said == "labelled from pixels → from embeddings in int8"
    (said,) = name_differences(row | {"laketag_version": "0.0.9"}, classifier, SETTINGS)
    assert said.startswith("laketag 0.0.9 → ")


def run_row(classifier: ChosenClassifier, settings: Settings) -> dict[str, Any]:
    """The row of a run that this classifier labelled with these settings."""
    return {
        "models": json.dumps(classifier.models),
        "settings": json.dumps(kept_settings(settings, classifier)),
        "description_version": classifier.description_version,
        "laketag_version": "0.2.0",
    }


def decided_by(classifier: ChosenClassifier, settings: Settings) -> dict[str, Any]:
    chosen = settings.model_dump(mode="json", include={"method", "decode"})
    return classifier.decided_by | chosen

"""What a dry run of a night says of descriptions; on the lake of an earlier version, whose set is embedded already."""

import io
import json
import shutil
from pathlib import Path

import pytest
from rich.console import Console

from laketag.pipeline.classifier.choose_classifier import choose_classifier
from laketag.pipeline.config import StorageSettings
from laketag.pipeline.flows.index_images import index_images
from laketag.pipeline.flows.index_request import make_request
from laketag.pipeline.flows.night_file import NightCollection
from laketag.pipeline.flows.plan_run import LabelRequest, OtherRuns, find_work, plan_run
from laketag.pipeline.flows.preview_night import preview_night
from laketag.pipeline.lake.description_versions import latest_embedded_set
from laketag.pipeline.lake.lease import hold_lease
from laketag.pipeline.lake.paths import Lake, open_lake
from laketag.pipeline.lake.publish import publish
from laketag.pipeline.lake.runs import read_runs
from laketag.pipeline.lake.staging import write_part
from laketag.pipeline.screen import Screen
from laketag.pipeline.settings_file import read_settings
from tests.lake.label_rows import label_frame, label_row
from tests.lakes.test_earlier_lakes import HERE, MODEL

SETTINGS = read_settings(HERE / "settings.toml", overrides=[f'backbone.pretrained="local-dir:{MODEL}"'])


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A copy of the lake, in which today's laketag has labelled a collection ``again`` of the same images."""
    shutil.copytree(HERE / "lake", tmp_path / "lake")
    lake = open_lake(str(tmp_path / "lake"), StorageSettings())
    index_images(lake, make_request(wanted("drawings"), SETTINGS))
    classifier = choose_classifier(SETTINGS, latest_embedded_set(lake, "drawings"))
    request = LabelRequest(collection="again", description_set="drawings")
    work = find_work(lake, request, classifier.fingerprint, SETTINGS, OtherRuns(read_runs(lake)))
    run = plan_run(lake, work, classifier, SETTINGS)
    rows = [label_row(name, run_id=run.run_id) for name in work.rows["image_id"]]
    write_part(lake, run.run_id, label_frame(rows).with_columns(work.rows["etag"]))
    with hold_lease(lake, "x") as lease:
        publish(lake, run, lease)
    return lake


def wanted(description_set: str, file: Path = HERE / "descriptions.json") -> NightCollection:
    return NightCollection(
        source=str(HERE / "images"),
        collection="again",
        description_set=description_set,
        descriptions=str(file),
    )


def look(lake: Lake, collection: NightCollection) -> tuple[str, int]:
    found = preview_night(lake, collection, SETTINGS, Screen(Console(file=io.StringIO())))
    return found.descriptions, found.images


def test_it_tells_new_changed_and_restored_descriptions_apart(lake: Lake, tmp_path: Path) -> None:
    images = read_runs(lake)["planned"][-1]
    assert look(lake, wanted("drawings")) == ("unchanged", 0)
    assert look(lake, wanted("other")) == ("new", images)
    changed = tmp_path / "changed.json"
    texts = json.loads((HERE / "descriptions.json").read_text())
    changed.write_text(json.dumps(texts | {"moon": ["The moon is round and pale."]}))
    assert look(lake, wanted("drawings", changed)) == ("changed", images)

    (first,) = Path(lake.description_versions("drawings")).iterdir()
    shutil.copytree(first, first.with_name("version=29990101T000000.000000Z-0123456789abcdef"))
    assert look(lake, wanted("drawings")) == ("restored", 0)

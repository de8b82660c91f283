"""What a run has kept is labelled from by a command, on Ray, whose labels are those of the run that has read the pixels."""

import json
import shutil

import polars as pl
import pytest

from laketag.pipeline.lake.paths import open_lake
from laketag.pipeline.settings_file import read_settings
from tests.end_to_end.command_line import must_run, run_laketag
from tests.end_to_end.lakes import put_all, put_described, table
from tests.end_to_end.pictures import BROKEN, GOOD
from tests.flows.labelled_here import label_here
from tests.stores.store import folder_store


@pytest.mark.usefixtures("joined_ray")
def test_a_collection_is_labelled_again_without_its_pixels(tmp_path, tiny_settings, described) -> None:
    store = folder_store(tmp_path)
    broken = next(name for name, (data, _) in BROKEN.items() if data)
    put_all(store, GOOD | {broken: BROKEN[broken][0]})
    root, images = store.url("lake"), store.url("images")
    must_run("index", images, "--root", root, "-c", "c")
    put_described(store, root, described)
    settings = read_settings(tiny_settings)
    label_here(open_lake(root, settings.storage), "c", "s", settings.keeping(("embeddings=fp16",)))
    full = table(store, root)
    shutil.rmtree(images)
    chosen = ("label", "--root", root, "-s", "s", "-c", "c", "--settings", str(tiny_settings))
    outcome = run_laketag(*chosen, "--from-embeddings", "--json")
    assert outcome.code == 0, outcome.err
    said = " ".join(outcome.err.split())
    assert f"from embeddings in fp16, {len(GOOD)} of {len(GOOD)} images of run" in said
    assert "1 pending images have no kept embeddings of this encoder and image version, such as" in said
    report = json.loads(outcome.out)
    assert (report["labelled"], report["failures"], report["without_embeddings"]) == (len(GOOD), {}, 1)
    assert report["runs"][0]["made_from"] == "embeddings=fp16"
    ours = table(store, root).filter(pl.col("run_id") == report["runs"][0]["run_id"])
    labels = ["image_id", "label", "evidence", "width_px", "height_px"]
    assert ours.select(labels).equals(full.filter(pl.col("label").is_not_null()).select(labels))
    must_run("verify", "--root", root)

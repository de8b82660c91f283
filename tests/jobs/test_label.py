"""``laketag label``: what it refuses before it starts anything, and how it ends."""

import json
from pathlib import Path
from typing import Any

import pytest

from laketag.jobs.label import checked_limit, checked_reasons
from laketag.pipeline.classifier.choose_classifier import choose_classifier
from laketag.pipeline.errors import SettingsError
from laketag.pipeline.flows.plan_run import LabelRequest, OtherRuns, find_work, plan_run
from laketag.pipeline.lake import queries
from laketag.pipeline.lake.description_versions import latest_embedded_set
from laketag.pipeline.lake.paths import open_lake
from laketag.pipeline.lake.runs import read_runs
from laketag.pipeline.settings_file import read_settings
from laketag.schemas import FAILURES
from tests.end_to_end.command_line import Outcome, one_line, run_laketag
from tests.end_to_end.lakes import index_named, label, put_all, put_described
from tests.end_to_end.pictures import encoded, picture
from tests.lake.label_rows import label_row
from tests.lake.run_rows import write_run
from tests.stores.store import folder_store


def test_every_failure_can_be_retried_and_other_reasons_are_refused() -> None:
    assert checked_reasons(FAILURES) == FAILURES
    with pytest.raises(SettingsError, match=r"--retry trunkated: .* choose one of not_found, forbidden"):
        checked_reasons(["too_large", "trunkated"])


def test_a_limit_is_at_least_one_image() -> None:
    assert (checked_limit(None), checked_limit(1)) == (None, 1)
    with pytest.raises(SettingsError, match="--limit 0: give a number of images from 1"):
        checked_limit(0)


def read_json(outcome: Outcome) -> dict[str, Any]:
    """The one JSON object on standard output, whose exit code is the command's."""
    parsed: dict[str, Any] = json.loads(outcome.out)
    assert parsed["exit_code"] == outcome.code, outcome
    return parsed


def test_json_comes_also_when_the_command_is_refused(tmp_path: Path) -> None:
    found = read_json(run_laketag(*label(str(tmp_path / "lake")), "--json"))
    assert (found["exit_code"], found["resumable"], found["runs"]) == (2, False, [])
    assert "has no index of collection 'c'" in found["error"]
    assert read_json(run_laketag(*label("lake"), "--json", "-o", "run.actors=0"))["exit_code"] == 2
    found = read_json(run_laketag(*label("lake"), "--json", env={"RAY_ADDRESS": "http://head:8265"}))
    assert (found["exit_code"], found["resumable"]) == (8, True)


@pytest.mark.usefixtures("joined_ray")
def test_a_sample_is_resumed_then_the_rest_is_labelled_and_a_run_without_a_label_ends_with_9(
    tmp_path: Path, tiny_settings: Path, described: Path
) -> None:
    store, images = folder_store(tmp_path), {f"{n}.jpg": encoded(picture(n)) for n in range(6)}
    put_all(store, images)
    root, settings = store.url("lake"), read_settings(tiny_settings)
    index_named(store, root, images)
    put_described(store, root, described)
    lake, request = (
        open_lake(root, settings.storage),
        LabelRequest(collection="c", description_set="s", limit=2),
    )
    classifier = choose_classifier(settings, latest_embedded_set(lake, "s"))
    run = plan_run(
        lake,
        find_work(lake, request, classifier.fingerprint, settings, OtherRuns(read_runs(lake))),
        classifier,
        settings,
    )
    command = (*label(root), "--settings", str(tiny_settings), "--json")

    done = run_laketag(*command, "--limit", "2")
    found = read_json(done)
    assert (found["planned"], found["labelled"], found["left"]) == (2, 2, 4)
    assert [one["run_id"] for one in found["runs"]] == [run.run_id]
    assert found["estimate_of_left"] is None
    assert "0 of 2 images (0%) · loading the models" in done.err
    assert "left for later: 4 images, for an unknown time, as these were too few to measure" in one_line(
        done.err
    )
    assert "label actor(s)" not in done.err  # for operators: --verbose

    for name in images:
        store.delete(f"images/{name}")
    missing = run_laketag(*command)
    found = read_json(missing)
    assert (found["exit_code"], found["planned"], found["failures"]) == (9, 4, {"not_found": 4})
    assert "4 of 4 images failed (not_found 4)" in missing.err
    again = read_json(run_laketag(*command, "--fail-on-failures"))
    assert (again["exit_code"], again["runs"], again["failed_before"]) == (0, [], {"not_found": 4})

    # another classifier labels; then the first one, which has nothing to do, is wanted again
    other = {"collection": "c", "description_set": "s", "classifier": "beef"}
    write_run(lake, 1, [label_row(queries.labels(root).collect()["image_id"][0])], finished=400, **other)
    assert set(queries.labels(root).collect()["classifier"]) == {"beef"}
    said = run_laketag(*command)
    assert read_json(said)["planned"] == 0
    assert "queries show these labels again, and no longer those of another classifier" in one_line(said.err)
    assert set(queries.labels(root).collect()["classifier"]) == {classifier.fingerprint}
    assert read_json(run_laketag(*command))["runs"] == []

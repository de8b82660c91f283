"""laketag review: what is written for a tool comes back from it as decisions, all or none."""

import csv
import io
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from laketag import review_in, review_out
from laketag.jobs.cli import app
from laketag.pipeline.errors import InputError, SettingsError
from laketag.pipeline.lake import queries
from laketag.pipeline.lake.decisions import Decided
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.snapshots import write_snapshot
from tests.flows.review_lakes import write_reviewed
from tests.lake.label_rows import index_rows

DECISIONS = {"e": "dog", "d": "none of these", "c": "cat"}
"""What people decide about the three images with the smallest margins."""


def fill_csv(path: Path) -> None:
    """As a spreadsheet set to German saves it."""
    rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"))))
    for row in rows:
        row["decision"] = DECISIONS.get(row["image_id"], "")
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=";")
        writer.writeheader()
        writer.writerows(rows)


def annotate(task: dict[str, Any], choice: str, **more: Any) -> None:
    """As the documentation of Label Studio shows the export of an annotation (labelstud.io/guide/task_format)."""
    chosen = {
        "id": "x",
        "from_name": "class",
        "to_name": "image",
        "type": "choices",
        "value": {"choices": [choice]},
    }
    annotation = {
        "id": 1001,
        "completed_by": {"id": 10, "email": "jane@example.org", "first_name": "", "last_name": ""},
        "result": [task["predictions"][0]["result"][1], chosen],
        "was_cancelled": False,
        "ground_truth": False,
        "created_at": "2026-03-09T22:16:08.728353Z",
        "updated_at": "2026-03-09T22:16:08.728378Z",
        "lead_time": 4.288,
    }
    task.setdefault("annotations", []).append(annotation | more)


def fill_label_studio(path: Path) -> None:
    tasks = json.loads(path.read_text())
    for number, task in enumerate(tasks, 1):
        task |= {"id": number, "project": 83, "inner_id": number, "total_annotations": 1}
        if task["data"]["image_id"] in DECISIONS:
            annotate(task, DECISIONS[task["data"]["image_id"]])
        else:
            annotate(task, "cat", was_cancelled=True)
    path.write_text(json.dumps(tasks))


def fill_fiftyone(path: Path) -> None:
    """As FiftyOne writes a sample whose field is a Classification."""
    dataset = json.loads(path.read_text())
    for sample in dataset["samples"]:
        if sample["image_id"] in DECISIONS:
            sample["decision"] = {
                "_id": {"$oid": "65f0c0ffee65f0c0ffee65f0"},
                "_cls": "Classification",
                "tags": [],
                "label": DECISIONS[sample["image_id"]],
                "confidence": None,
                "logits": None,
            }
    path.write_text(json.dumps({"samples": dataset["samples"]}))


FILLERS: dict[str, tuple[str, Callable[[Path], None]]] = {
    "csv": ("review.csv", fill_csv),
    "label-studio": ("review.json", fill_label_studio),
    "fiftyone": ("review.json", fill_fiftyone),
}


@pytest.mark.parametrize("format", FILLERS)
def test_what_people_decide_in_a_tool_is_what_the_lake_has_decided(
    lake: Lake, tmp_path: Path, format: Any
) -> None:
    write_reviewed(lake)
    name, fill = FILLERS[format]
    path = tmp_path / name
    assert review_out(lake.root, to=str(path), limit=4, format=format).images == 4
    fill(path)
    assert review_in(str(path), lake.root, dry_run=True).recorded is False
    assert Decided(lake, "photos", "animals").read().is_empty()
    report = review_in(str(path), lake.root, reviewer="joe")
    assert (report.decisions, report.new, report.undecided, report.format) == (3, 3, 1, format)
    rows = Decided(lake, "photos", "animals").read_current().sort("image_id")
    assert rows.select("image_id", "etag", "verdict", "label").rows() == [
        ("c", "v1", "class", "cat"),
        ("d", "v1", "none_of_these", None),
        ("e", "v1", "class", "dog"),
    ]
    assert set(rows["decided_by"]) == {"jane@example.org" if format == "label-studio" else "joe"}
    if format == "label-studio":
        assert set(rows["decided_at"]) == {datetime(2026, 3, 9, 22, 16, 8, 728378, tzinfo=UTC)}
    again = review_in(str(path), lake.root, reviewer="joe")
    assert (again.new, again.known, again.recorded) == (0, 3, False)
    assert dict(queries.labels(lake.root).select("image_id", "label").collect().rows())["e"] == "dog"
    assert review_out(lake.root, to=str(path), format=format).images == 2  # the others are decided


def test_tasks_show_the_label_and_its_box_in_an_interface_with_all_classes(
    lake: Lake, tmp_path: Path
) -> None:
    write_reviewed(lake, "/my photos")
    review_out(lake.root, to=str(tmp_path / "review.json"), limit=1)
    (task,) = json.loads((tmp_path / "review.json").read_text())
    assert task["data"]["image"] == "/data/local-files/?d=my%20photos/e.png"
    interface = ElementTree.parse(tmp_path / "review.xml").getroot()
    assert [choice.get("value") for choice in interface.iter("Choice")] == ["dog", "cat", "none of these"]
    controls = {tag.get("name") for tag in interface.iter() if tag.get("toName") == "image"}
    (prediction,) = task["predictions"]
    assert prediction["model_version"] == "f00d"
    label, box = prediction["result"]
    assert {label["from_name"], box["from_name"]} == controls
    assert label["value"] == {"choices": ["cat"]}
    assert (box["value"]["width"], box["original_width"]) == (100.0, 4)


def test_samples_have_the_evidence_as_a_detection_in_fractions(lake: Lake, tmp_path: Path) -> None:
    write_reviewed(lake, size=8)
    review_out(lake.root, to=str(tmp_path / "review.json"), limit=1, format="fiftyone")
    (sample,) = json.loads((tmp_path / "review.json").read_text())["samples"]
    (box,) = sample["evidence"]["detections"]
    assert (sample["filepath"], box["bounding_box"], box["_cls"]) == (
        "/images/e.png",
        [0, 0, 0.5, 0.5],
        "Detection",
    )


def write_tasks(lake: Lake, path: Path) -> list[dict[str, Any]]:
    review_out(lake.root, to=str(path))
    tasks: list[dict[str, Any]] = json.loads(path.read_text())
    return tasks


def test_nothing_is_recorded_of_a_file_with_a_problem_unless_it_is_left_out(
    lake: Lake, tmp_path: Path
) -> None:
    write_reviewed(lake)
    path = tmp_path / "review.json"
    tasks = write_tasks(lake, path)
    images = {task["data"]["image_id"]: task for task in tasks}
    annotate(images["a"], "cat")
    annotate(images["b"], "dog")
    annotate(images["b"], "cat", completed_by=11)
    annotate(images["c"], "unicorn")
    annotate(images["d"], "dog")
    annotate(images["e"], "dog")
    images["d"]["data"]["image_id"] = "nowhere"
    images["e"]["data"]["etag"] = "v0"
    path.write_text(json.dumps(tasks))
    with pytest.raises(InputError) as error:
        review_in(str(path), lake.root)
    for said in (
        "1 decisions contradict each other: /images/b.png (task 4: dog and cat)",
        "1 decisions name an unknown class: /images/c.png (task 3: unicorn)",
        "1 decisions are of images that are not in the lake: /images/d.png",
        "1 decisions are of images that have changed since: /images/e.png",
        "nothing was recorded",
    ):
        assert said in str(error.value)
    decided = Decided(lake, "photos", "animals")
    assert decided.read().is_empty()
    report = review_in(str(path), lake.root, leave_out=True)
    assert (report.decisions, report.new, sum(report.problems.values())) == (5, 1, 4)
    assert decided.read()["image_id"].to_list() == ["a"]


def test_two_people_who_agree_are_one_decision_and_the_later_one_counts(lake: Lake, tmp_path: Path) -> None:
    write_reviewed(lake)
    path = tmp_path / "review.json"
    tasks = write_tasks(lake, path)
    annotate(tasks[0], "cat", completed_by=12, updated_at="2026-05-01T00:00:00Z")
    annotate(tasks[0], "Cat", completed_by=11)
    path.write_text(json.dumps(tasks))
    review_in(str(path), lake.root)
    (row,) = Decided(lake, "photos", "animals").read().rows(named=True)
    assert (row["label"], row["decided_by"]) == ("cat", "user 12")


def test_a_table_made_by_hand_needs_only_uris_and_decisions(lake: Lake, tmp_path: Path) -> None:
    write_reviewed(lake)
    path = tmp_path / "mine.csv"
    path.write_text("uri,decision\n/images/a.png,None of these\n/images/b.png,CAT\n/images/f.png,dog\n")
    with pytest.raises(InputError, match="does not say what it is about; name it with --collection"):
        review_in(str(path), lake.root)
    review_in(str(path), lake.root, collection="photos", description_set="animals")
    labels = queries.labels(lake.root).select("image_id", "label").collect().rows()
    assert dict(labels) == {"a": "none of these", "b": "cat", "c": "cat", "d": "dog", "e": "cat", "f": "dog"}


def test_an_older_decision_read_later_does_not_count(lake: Lake, tmp_path: Path) -> None:
    write_reviewed(lake)
    rows = "uri,decision,decided_at,collection,description_set\n/images/a.png,{},2026-0{}-01,photos,animals\n"
    for label, month in (("dog", 5), ("cat", 2)):
        (tmp_path / "r.csv").write_text(rows.format(label, month))
        report = review_in(str(tmp_path / "r.csv"), lake.root)
    assert (report.known, report.recorded) == (1, False)
    assert Decided(lake, "photos", "animals").read_current()["label"].to_list() == ["dog"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "has the columns none; a review needs decision, and image_id or uri"),
        ("uri,decision\n", "holds no decision; 0 images"),
        (
            '[{"image": 1}]',
            "task 1 has no data; export the project from Label Studio as JSON, and not as JSON-MIN",
        ),
        ('[{"data": {}, "annotations": []', "is no JSON"),
        ('{"samples": [1]}', "sample 1 is no object"),
        (
            '{"images": []}',
            "neither a list of tasks of Label Studio nor an object with the samples of FiftyOne",
        ),
        (b"\xff\xfe", "is no UTF-8"),
        (None, "there is no such file"),
    ],
)
def test_what_is_no_review_is_refused_with_the_reason(
    lake: Lake, tmp_path: Path, content: Any, says: str
) -> None:
    write_reviewed(lake)
    path = tmp_path / "review"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=says):
        review_in(str(path), lake.root)


def test_the_command_line_writes_and_reads_and_prints_json(lake: Lake, tmp_path: Path) -> None:
    write_reviewed(lake)
    path = tmp_path / "review.csv"
    arguments = [
        "review",
        "out",
        "--root",
        lake.root,
        "-c",
        "photos",
        "--by",
        "probability",
        "-n",
        "2",
        "--to",
        str(path),
    ]
    printed = CliRunner().invoke(app, arguments)
    assert printed.output.startswith("2 images of collection photos, set animals, written to ")
    path.write_text(re.sub(",(cat|dog),,", r",\1,dog,", path.read_text()))
    result = CliRunner().invoke(app, ["review", "in", str(path), "--root", lake.root, "--json"])
    assert json.loads(result.stdout)["new"] == 2


def test_impossible_options_are_refused(lake: Lake) -> None:
    write_reviewed(lake)
    with pytest.raises(
        SettingsError, match=r"--to review.xls: cannot tell the format .* .csv \(csv\) or .json"
    ):
        review_out(lake.root, to="review.xls")
    with pytest.raises(SettingsError, match=r"end it in .json \(fiftyone\)"):
        review_out(lake.root, to="review.csv", format="fiftyone")
    with pytest.raises(SettingsError, match="--signed-hours 200: give a number above 0, up to 168"):
        review_out(lake.root, to="review.csv", signed_hours=200)
    with pytest.raises(
        InputError, match="has no labels of scans; choose one of: --collection photos --set animals"
    ):
        review_out(lake.root, to="review.csv", collection="scans")


def test_images_that_have_changed_are_not_shown(lake: Lake, tmp_path: Path) -> None:
    write_reviewed(lake)
    write_snapshot(lake, "photos", [index_rows("abc", etag="v2"), index_rows("de")])
    assert review_out(lake.root, to=str(tmp_path / "review.csv")).images == 2

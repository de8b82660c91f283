"""A calibration on the command line, from pictures without labels to labels that are accepted, or none of these."""

import json
import shutil
from pathlib import Path

import polars as pl
import pytest

import laketag
from laketag.demo.lake import write_demo_images
from tests.end_to_end.command_line import must_run
from tests.end_to_end.lakes import DEMO_DESCRIPTIONS, DEMO_SETTINGS

PICTURES = 32
METHOD = ("--settings", str(DEMO_SETTINGS), "-o", "method.crops=4")
KEEP = ("--keep", "scores")
DECIDED = ("calibrated_probability", "tag_scores", "accepted", "abstained", "conformal_set")
OUTSIDE = ("umbrella", "car")


def on(lake: str, command: str, *options: str) -> tuple[str, ...]:
    return (command, "--root", lake, "-c", "drawings", "-s", "drawings", *METHOD, *options)


@pytest.mark.usefixtures("joined_ray")
def test_a_calibration_decides_later_runs_and_makes_no_image_pending(tmp_path: Path) -> None:
    lake, pictures = str(tmp_path / "lake"), tmp_path / "images"
    write_demo_images(pictures, count=PICTURES)
    later = [
        next((pictures / name).glob("easy-*"), None) or next((pictures / name).glob("*")) for name in OUTSIDE
    ]
    (tmp_path / "later").mkdir()
    for file in later:
        shutil.move(file, tmp_path / "later")
    texts = json.loads(DEMO_DESCRIPTIONS.read_text())
    described = tmp_path / "classes.json"
    described.write_text(json.dumps({name: texts[name] for name in texts if name not in OUTSIDE}))
    must_run("index", str(pictures), "--root", lake, "-c", "drawings", "--class-from-folder")
    must_run("describe", str(described), "--root", lake, "-s", "drawings", *METHOD)
    must_run(*on(lake, "label", "--limit", "8", *KEEP))
    before = laketag.labels(lake).collect()
    assert before.select(DECIDED).null_count().sum_horizontal().item() == len(DECIDED) * before.height

    # so few images are too few for a precision, so a standard score is named
    printed = must_run(*on(lake, "calibrate", "--others-outside", "--min-score", "2", "--json"))
    report = json.loads(printed.splitlines()[-1])
    assert report["failures"] == dict.fromkeys(("empty", "truncated", "undecodable", "unsupported"), 1)
    assert report["images"] == report["with_class"] + report["outside"]
    assert report["kept"] == before.height
    assert report["outside"] > 0
    assert report["is_new"]
    assert report["reliability"]["loss_after"] <= report["reliability"]["loss_before"]
    assert laketag.labels(lake).collect().equals(before), "a calibration changes no row"

    # those 8 from their scores, the rest, and then two pictures of something outside, are decided by it
    must_run(*on(lake, "recalibrate"))
    must_run(*on(lake, "label", *KEEP))
    shutil.copytree(tmp_path / "later", pictures / "later")
    must_run("index", str(pictures), "--root", lake, "-c", "drawings", "--class-from-folder")
    must_run(*on(lake, "label", *KEEP))
    runs = laketag.runs(lake).collect()
    assert runs["calibration"].to_list() == [None, *[report["calibration"]] * 3]
    assert runs["recalibrated"].to_list() == [None, True, None, None]
    decided = laketag.labels(lake, also_abstained=True).collect()
    assert runs["run_id"][0] not in set(decided["run_id"])
    assert decided["abstained"].null_count() == 0
    assert (decided["abstained"] == (decided["accepted"].list.len() == 0)).all()
    assert (decided["tag_scores"].list.len() == decided["tags"].list.len()).all()
    shown = laketag.labels(lake).collect()
    assert shown.filter(pl.col("label") == "none of these").height == decided["abstained"].sum() > 0
    assert runs["labelled"].sum() == decided.height + before.height, "what abstained counts as labelled"
    assert "nothing to do" in must_run(*on(lake, "label", *KEEP))

    # all scores were kept, so another threshold needs no image
    pictures.rename(tmp_path / "away")
    printed = must_run(*on(lake, "calibrate", "--others-outside", "--min-score", "3"))
    assert f"{decided.height} of {decided.height + 4} images have kept scores, and are not read" in printed
    assert "the labels of 4 earlier runs stay as they are" in printed
    must_run(*on(lake, "recalibrate"))
    stricter = laketag.labels(lake, also_abstained=True).collect()
    assert set(stricter["run_id"]) == {laketag.runs(lake).collect()["run_id"][-1]}, "all are decided anew"
    assert set(stricter["image_id"]) == set(decided["image_id"])
    assert stricter["abstained"].sum() > decided["abstained"].sum()
    must_run("verify", "--root", lake)

    # the same scores decide the same, whatever is labelled with them
    thresholds = {one["class_name"]: one["threshold"] for one in report["classes"]}
    for row in decided.iter_rows(named=True):
        assert all(tag["score"] > thresholds[tag["label"]] for tag in row["accepted"])
        over = {tag["label"] for tag in row["accepted"]}
        for tag, score in zip(row["tags"], row["tag_scores"], strict=True):
            assert (score > thresholds[tag["label"]]) == (tag["label"] in over)

"""An evaluation on the command line, from the index to its tables and plots."""

import json
import shutil
from pathlib import Path

import polars as pl
import pytest

import laketag
from laketag.demo.lake import write_demo_images
from tests.end_to_end.command_line import PROJECT, must_run, overrides
from tests.end_to_end.lakes import DEMO_DESCRIPTIONS, DEMO_SETTINGS
from tests.end_to_end.shared_ray import SharedRay

PICTURES = 48
DEMO = ("--settings", str(DEMO_SETTINGS), *overrides("method.crops=4"))
"""Few crops of each kind: tests/stages/test_evaluate_images.py compares what is made of them."""


@pytest.fixture(scope="module")
def demo_lake(tmp_path_factory: pytest.TempPathFactory, shared_ray: SharedRay) -> Path:
    """48 drawn pictures, four broken ones, the descriptions and the descriptors of the demo, and labels of both methods."""
    shared_ray.join()
    folder = tmp_path_factory.mktemp("demo")
    write_demo_images(folder / "images", count=PICTURES)
    first = next(file for file in sorted((folder / "images" / "car").iterdir()) if "broken" not in file.name)
    shutil.copy(first, folder / "images" / "fish" / f"copy-of-a-car{first.suffix}")
    lake = str(folder / "lake")
    must_run("index", str(folder / "images"), "--root", lake, "-c", "drawings", "--class-from-folder")
    must_run("describe", str(DEMO_DESCRIPTIONS), "--root", lake, "-s", "drawings", *DEMO)
    must_run("describe", str(PROJECT / "demo" / "descriptors.json"), "--root", lake, "-s", "parts", *DEMO)
    must_run("label", "--root", lake, "-c", "drawings", "-s", "drawings", *DEMO)
    return folder / "lake"


def evaluate(lake: Path, *options: str) -> tuple[str, ...]:
    return ("evaluate", "--root", str(lake), "-c", "drawings", "-s", "drawings", *DEMO, *options)


def results(lake: Path) -> pl.DataFrame:
    return pl.read_parquet(f"{lake}/evaluations/*/results/**/*.parquet", hive_partitioning=False)


def files(lake: Path) -> list[str]:
    return sorted(str(path) for path in (lake / "evaluations").rglob("*") if path.is_file())


@pytest.mark.usefixtures("joined_ray")
def test_all_methods_are_compared_once_and_labels_never_change_by_it(demo_lake: Path) -> None:
    before = laketag.labels(str(demo_lake)).collect(), laketag.runs(str(demo_lake)).collect()
    printed = must_run(*evaluate(demo_lake, "--descriptors", "parts", "--methods", "clip,abs"))
    first = results(demo_lake)
    assert first.height == 2 * (PICTURES + 5)
    assert "ABS is" in printed

    # what is labelled agrees with what label wrote with the same settings
    labels = before[0].select("image_id", pl.col("label").alias("written"), pl.col("probability").alias("p"))
    both = first.filter(pl.col("method") == "abs").join(labels, on="image_id")
    assert both.height == PICTURES + 1
    assert (both["label"] == both["written"]).all()
    assert (both["probability"] - both["p"]).abs().max() < 1e-5

    # further methods and seeds are added, and nothing is computed twice
    printed = must_run(*evaluate(demo_lake, "--descriptors", "parts", "--seeds", "2", "--json"))
    report = json.loads(printed.splitlines()[-1])
    assert report["done"] == report["images"] == PICTURES + 5
    names = [row["method"] for row in report["summary"]]
    assert names[:7] == ["clip", "clip-e", "clip-d", "waffle", "cupl", "wca", "abs"]
    assert {row["failed"] for row in report["summary"]} == {4}
    assert {row["seeds"] for row in report["summary"]} == {1, 2}
    assert "1 images have the pixels of another one and count again" in report["notices"][0]
    assert "different true classes" in report["notices"][0]
    keys = ["image_id", "method", "seed"]
    kept = results(demo_lake).join(first.select(keys), on=keys, how="semi")
    assert kept.sort(keys).equals(first.sort(keys)), "also their seconds"
    everything = files(demo_lake)
    again = must_run(*evaluate(demo_lake, "--descriptors", "parts", "--seeds", "2"))
    assert "trials" not in again, "everything is there"
    assert files(demo_lake) == everything
    for name in (
        "table.md",
        "summary.csv",
        "classes.csv",
        "confusions.csv",
        "accuracy.svg",
        "reliability.svg",
    ):
        assert any(file.endswith(f"/report/{name}") for file in everything), name

    # what the filter does to accuracy, and whether descriptions help for what they say
    printed = must_run(*evaluate(demo_lake, "--descriptions", "--methods", "clip,cupl"))
    of_variants = results(demo_lake).filter(pl.col("method").str.starts_with("cupl/"))
    assert of_variants.group_by("method").len()["len"].to_list() == [PICTURES + 5] * 7
    for name in ("with the filter", "rule near_duplicate alone", "texts of a random other class"):
        assert f"CuPL, {name}: " in printed

    after = laketag.labels(str(demo_lake)).collect(), laketag.runs(str(demo_lake)).collect()
    assert after[0].equals(before[0])
    assert after[1].equals(before[1])
    assert "nothing to do" in must_run(
        "label", "--root", str(demo_lake), "-c", "drawings", "-s", "drawings", *DEMO
    )
    must_run("verify", "--root", str(demo_lake))

"""Labels from kept embeddings, every stage without Ray: equal to those from pixels, for the images that have any."""

import io
import json
import os
import shutil
from pathlib import Path

import polars as pl
import pytest
from PIL import Image
from rich.console import Console

from laketag.pipeline.config import Settings, StorageSettings
from laketag.pipeline.errors import InputError
from laketag.pipeline.flows.compact_lake import compact_lake
from laketag.pipeline.flows.forget_images import ForgetRequest, forget_images
from laketag.pipeline.flows.kept_work import kept_files, locate, plan_work, say_lacking
from laketag.pipeline.flows.plan_run import LabelRequest, OtherRuns, Work, find_resumable, look_up_classifier
from laketag.pipeline.flows.plan_run import plan_run as freeze
from laketag.pipeline.flows.report_run import spec_of_run
from laketag.pipeline.lake.paths import Lake, open_lake
from laketag.pipeline.lake.runs import read_runs, scan_labels
from laketag.pipeline.lake.staging import scan_plan
from laketag.pipeline.lake.verification import verify
from laketag.pipeline.screen import Screen
from laketag.pipeline.stages.kept_embeddings import read_embeddings
from laketag.pipeline.stages.relabel_kept import relabel_kept
from tests.classifier.scenes import random_image
from tests.flows.indexed import index
from tests.flows.labelled_here import (
    QUIET,
    calibrate_here,
    demo_settings,
    demo_texts,
    describe_here,
    label_here,
)

OF_THE_CALL = ("run_id", "labelled_at", "attempts")
"""Columns of a label that say which run made it, when, and how often it asked the store."""
FEW = {name: texts[1:3] for name, texts in demo_texts(9).items()}


def keeping(stored_as: str, **overrides: str) -> Settings:
    settings = demo_settings(**{"method.crops": "3", "method.feature_crops": "true"} | overrides)
    return settings.keeping((f"embeddings={stored_as}",) if stored_as else ())  # type: ignore[arg-type]  # one of Keep


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pictures and a lake that has their embeddings in fp32 and fp16, under two classifiers, and two sets."""
    folder = tmp_path_factory.mktemp("kept")
    (folder / "images").mkdir()
    for number in range(5):
        Image.fromarray(random_image(150 + number, 90)).save(folder / "images" / f"{number}.png")
    index(folder / "images", folder / "lake")
    lake = open_lake(str(folder / "lake"), StorageSettings())
    describe_here(lake, "all", demo_texts(), demo_settings())
    describe_here(lake, "few", FEW, demo_settings())
    label_here(lake, "c", "all", keeping("fp32"))
    label_here(lake, "c", "all", keeping("fp16", **{"method.seed": "1"}))
    return folder


def copy(folder: Path, to: Path) -> Lake:
    """The lake of the folder, in a place of its own; its images are where they were."""
    shutil.copytree(folder / "lake", to)
    return open_lake(str(to), StorageSettings())


def labels_of(lake: Lake, classifier: str) -> pl.DataFrame:
    runs = read_runs(lake).filter(classifier=classifier)
    return scan_labels(lake, runs).drop(OF_THE_CALL).sort("image_id").collect()


def plan(lake: Lake, settings: Settings, of_set: str = "few", **request: object) -> Work:
    wanted = LabelRequest(collection="c", description_set=of_set, **request)  # type: ignore[arg-type]  # fields of it
    finished = read_runs(lake)
    classifier = look_up_classifier(lake, wanted, settings, QUIET, finished)
    return plan_work(lake, wanted, classifier, settings, OtherRuns(finished))


@pytest.mark.parametrize("method", [{"method.matching_temperature": "0.1"}, {"method.name": "clip"}])
def test_from_fp32_the_labels_and_the_classifier_are_those_of_a_run_from_pixels(
    kept: Path, tmp_path: Path, method: dict[str, str]
) -> None:
    settings = keeping("", **method)
    lake, looked = copy(kept, tmp_path / "matched"), copy(kept, tmp_path / "looked")
    for one in (lake, looked):
        calibrate_here(one, "c", "few", settings)
    (kept / "images").rename(kept / "away")
    try:
        matched = label_here(lake, "c", "few", settings, from_embeddings=True)
    finally:
        (kept / "away").rename(kept / "images")
    seen = label_here(looked, "c", "few", settings)
    assert matched.run.classifier == seen.run.classifier
    assert (matched.run.made_from, matched.speed.bytes_read) == ("embeddings=fp32", 0)
    theirs = labels_of(looked, seen.run.classifier)
    assert labels_of(lake, matched.run.classifier).equals(theirs)
    assert theirs.select("label", "accepted").null_count().row(0) == (0, 0)
    assert plan(lake, settings).is_nothing  # a usual call finds them done
    assert verify(lake).faults == []


def test_rounded_embeddings_have_a_classifier_of_their_own_and_nearly_the_same_scores(
    kept: Path, tmp_path: Path
) -> None:
    lake = copy(kept, tmp_path / "lake")
    settings = keeping("", **{"method.seed": "1"})
    rounded = label_here(lake, "c", "all", settings, from_embeddings=True)
    full = read_runs(lake)["classifier"][1]
    assert (rounded.run.made_from, rounded.run.classifier != full) == ("embeddings=fp16", True)
    assert rounded.run.encoder == read_runs(lake)["encoder"][1]  # which clean keeps for it
    assert spec_of_run(lake, read_runs(lake).row(-1, named=True), settings)  # by which a report tells stories
    ours, theirs = labels_of(lake, rounded.run.classifier), labels_of(lake, full)
    assert ours["label"].equals(theirs["label"])
    assert not ours["score"].equals(theirs["score"])
    assert ours["score"].to_list() == pytest.approx(theirs["score"].to_list(), rel=1e-3)
    stored = [pl.DataFrame(table) for table in read_embeddings(_located(lake, settings), lake)]
    relabelled = relabel_kept(
        pl.concat(stored).to_arrow(),
        lake=lake,
        described=("all", rounded.run.description_version),
        method=settings.method,
    )
    assert set(map(tuple, pl.DataFrame(relabelled).rows())) == set(ours.select("image_id", "label").rows())


def test_a_set_stays_with_its_format_and_another_one_takes_that_of_most_images_of_the_index(
    kept: Path, tmp_path: Path
) -> None:
    lake, of_seed = copy(kept, tmp_path / "lake"), {"method.seed": "1"}
    label_here(lake, "c", "few", keeping("", **of_seed), from_embeddings=True)
    changed = sorted((kept / "images").iterdir())[:3]
    before = [(file.read_bytes(), file.stat().st_mtime_ns) for file in changed]
    try:
        for number, file in enumerate(changed):
            Image.fromarray(random_image(60 + number, 61)).save(file)
        index(kept / "images", Path(lake.root))
        label_here(
            lake, "c", "all", keeping("fp32", **of_seed)
        )  # 3 images; 5 rows in fp16, of which 2 are current
        work = plan(lake, keeping("", **of_seed), from_embeddings=True)
        assert (work.made_from, work.pending, work.lacking) == ("embeddings=fp16", 3, 3)
        out, run_id = io.StringIO(), read_runs(lake)["run_id"][1]
        say_lacking(lake, work, Screen(Console(file=out, width=900)))
        command = f"laketag label --root {lake.root} --collection c --set all --keep embeddings=fp16"
        assert f"{command} (with the settings of run {run_id}) keeps those" in out.getvalue()
        work = plan(lake, keeping("", **of_seed), of_set="all", from_embeddings=True)
        assert (work.made_from, work.pending) == ("embeddings=fp32", 0)
    finally:
        for file, (content, modified_ns) in zip(changed, before, strict=True):
            file.write_bytes(content)
            os.utime(file, ns=(modified_ns, modified_ns))


def _located(lake: Lake, settings: Settings) -> pl.DataFrame:
    wanted, finished = (
        LabelRequest(collection="c", description_set="all", from_embeddings=True),
        read_runs(lake),
    )
    classifier = look_up_classifier(lake, wanted, settings, QUIET, finished)
    images = scan_labels(lake, finished.head(1)).select("image_id", "uri", "etag").collect()
    return locate(lake, kept_files(classifier, "c", finished), images).rows


def test_images_without_kept_embeddings_of_their_version_are_counted_named_and_left(
    kept: Path, tmp_path: Path
) -> None:
    lake = copy(kept, tmp_path / "lake")
    changed = kept / "images" / "0.png"
    before = changed.read_bytes()
    Image.fromarray(random_image(60, 61)).save(changed)
    Image.fromarray(random_image(62, 61)).save(kept / "images" / "new.png")
    try:
        index(kept / "images", Path(lake.root))
        work = plan(lake, keeping(""), from_embeddings=True)
        assert (work.pending, work.rows.height, work.lacking, work.left) == (6, 4, 2, 2)
        out = io.StringIO()
        say_lacking(lake, work, Screen(Console(file=out, width=300)))
        assert (
            "2 pending images have no kept embeddings of this encoder and image version, such as"
            in out.getvalue()
        )
        assert "laketag label without --from-embeddings labels them" in out.getvalue()
        assert str(work.lacking_uri).endswith(("0.png", "new.png"))
        assert plan(lake, keeping(""), from_embeddings=True, limit=3).rows.height == 3
        label_here(lake, "c", "few", keeping(""), from_embeddings=True)
        rest = plan(lake, keeping(""))  # a usual call labels the others
        assert set(rest.rows["uri"].str.split("/").list.last()) == {"0.png", "new.png"}
    finally:
        changed.write_bytes(before)
        (kept / "images" / "new.png").unlink()


def test_a_run_that_reads_pixels_is_left_to_a_call_that_does(kept: Path, tmp_path: Path) -> None:
    lake = copy(kept, tmp_path / "lake")
    request = LabelRequest(collection="c", description_set="few", from_embeddings=True)
    classifier = look_up_classifier(lake, request, keeping(""), QUIET, read_runs(lake))
    run = freeze(lake, plan(lake, keeping("")), classifier, keeping(""))
    out = io.StringIO()
    screen = Screen(Console(file=out, width=300))
    assert find_resumable(lake, request, classifier.fingerprint, [], screen) == []
    assert "as it reads pixels; the same command without --from-embeddings goes on with it" in out.getvalue()
    assert plan(lake, keeping(""), from_embeddings=True).rows.is_empty()  # all are in the plan of that run
    assert scan_plan(lake, run.run_id).collect().height == 5


def test_embeddings_survive_compaction_and_are_forgotten_with_their_image(kept: Path, tmp_path: Path) -> None:
    lake = copy(kept, tmp_path / "lake")
    (run,) = read_runs(lake).head(1)["run_id"]
    assert json.loads(read_runs(lake)["encoder"][0])["crops"]["crops"] == 3
    gone = scan_labels(lake, read_runs(lake).filter(run_id=run)).select("uri").first().collect().item()
    forget_images(lake, ForgetRequest(names={gone: gone}), print)
    compact_lake(lake, QUIET)
    assert verify(lake).faults == []
    done = label_here(lake, "c", "few", keeping(""), from_embeddings=True)
    assert done.ledger.labelled == 4
    assert verify(lake).faults == []
    (file, *_) = Path(lake.root).glob("embeddings/**/*.parquet")
    file.unlink()
    assert any("embeddings" in str(fault) for fault in verify(lake).faults)


def test_a_file_that_has_changed_since_the_plan_is_refused(kept: Path, tmp_path: Path) -> None:
    lake = copy(kept, tmp_path / "lake")
    rows = _located(lake, keeping(""))
    other = rows.with_columns(row=rows["row"].reverse())
    with pytest.raises(InputError, match="laketag verify"):
        list(read_embeddings(other, lake))

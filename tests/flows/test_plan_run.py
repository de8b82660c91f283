"""What a run has to do: what is refused before models are looked up, and the sample that a limit draws."""

import io
from pathlib import Path

import polars as pl
import pytest
from rich.console import Console

from laketag.pipeline.config import BackboneSettings, Settings, StorageSettings
from laketag.pipeline.errors import InputError
from laketag.pipeline.flows.plan_run import (
    LabelRequest,
    OtherRuns,
    find_resumable,
    find_work,
    look_up_classifier,
)
from laketag.pipeline.lake.forgotten import Named, read_forgotten, write_forgotten
from laketag.pipeline.lake.paths import Lake, open_lake
from laketag.pipeline.lake.runs import read_runs
from laketag.pipeline.lake.snapshots import write_snapshot
from laketag.pipeline.lake.staging import run_suffix, write_part
from laketag.pipeline.screen import Screen
from laketag.pipeline.store.folders import remove_folder
from tests.lake.label_rows import index_rows, label_frame, label_row
from tests.lake.run_rows import RUN, freeze_run, write_run


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """An empty lake in a folder."""
    return open_lake(str(tmp_path / "lake"), StorageSettings())


NO_MODEL = Settings(backbone=BackboneSettings(pretrained="local-dir:/nowhere"))


def look_up(lake: Lake, collection: str, set_name: str) -> None:
    screen = Screen(Console(file=io.StringIO()))
    look_up_classifier(
        lake, LabelRequest(collection=collection, description_set=set_name), NO_MODEL, screen, read_runs(lake)
    )


def test_an_unknown_collection_or_set_is_refused_before_models_are_looked_up(lake: Lake) -> None:
    write_snapshot(lake, "photos", [index_rows("a")])
    (Path(lake.description_versions("animals")) / "version=v").mkdir(parents=True)
    with pytest.raises(InputError, match="no index of collection 'fotos'; it has photos; write one"):
        look_up(lake, "fotos", "animals")
    with pytest.raises(InputError, match="no description set 'animal'; it has animals; write one"):
        look_up(lake, "photos", "animal")


def work_ids(lake: Lake, limit: int | None, resumed: int = 0) -> list[str]:
    request = LabelRequest(collection=RUN.collection, description_set=RUN.description_set, limit=limit)
    others = OtherRuns(read_runs(lake), resumed)
    work = find_work(lake, request, RUN.classifier, Settings(), others)
    assert work.rows.height + work.left == work.pending
    return work.rows["image_id"].to_list()


def test_a_limit_draws_a_sample_of_what_is_pending_in_the_order_of_the_index(lake: Lake) -> None:
    ids = [f"{number:03}" for number in range(200)]
    write_snapshot(lake, RUN.collection, [index_rows(ids)])
    write_run(lake, 1, [label_row(name) for name in ids[:100]])
    assert work_ids(lake, None) == ids[100:]
    few = work_ids(lake, 10)
    assert (len(few), few) == (10, sorted(few))
    assert set(few) <= set(ids[100:])
    assert few != ids[100:110]
    assert set(few) <= set(work_ids(lake, 50))
    assert work_ids(lake, 1_000) == ids[100:]
    assert len(work_ids(lake, 10, resumed=4)) == 6
    assert work_ids(lake, 10, resumed=11) == []


@pytest.mark.parametrize(("limit", "resumed"), [(None, ["b", "c", "d"]), (3, ["b", "c", "d"]), (2, None)])
def test_an_unfinished_run_with_more_images_left_than_the_limit_stays_unfinished(
    lake: Lake, limit: int | None, resumed: list[str] | None
) -> None:
    run = freeze_run(lake, "abcd", f"20260101T000000.000000Z{run_suffix(RUN.collection, RUN.classifier)}")
    write_part(lake, run.run_id, label_frame([label_row("a")]))
    out = io.StringIO()
    request = LabelRequest(collection=RUN.collection, description_set="animals", limit=limit)
    found = find_resumable(lake, request, RUN.classifier, [], Screen(Console(file=out)))
    assert [(one, rows["image_id"].to_list()) for one, rows in found] == ([(run, resumed)] if resumed else [])
    assert ("stays unfinished, as it has 3 images left" in out.getvalue()) is (resumed is None)


def test_a_sample_has_no_image_of_a_run_that_stays_unfinished(lake: Lake) -> None:
    write_snapshot(lake, RUN.collection, [index_rows("abcdef")])
    run = freeze_run(lake, "abcd", f"20260101T000000.000000Z{run_suffix(RUN.collection, RUN.classifier)}")
    assert work_ids(lake, 3) == ["e", "f"]
    remove_folder(lake.staging(run.run_id), lake.storage)
    assert len(work_ids(lake, 3)) == 3


def test_a_forgotten_image_that_an_index_has_again_is_not_labelled(lake: Lake) -> None:
    write_snapshot(lake, RUN.collection, [index_rows("abc")])
    named = index_rows("a").select(pl.lit(RUN.collection).alias("collection"), "image_id", "uri")
    write_forgotten(lake, read_forgotten(lake).add(Named(named, None, everywhere=True)))
    assert work_ids(lake, None) == ["b", "c"]


def test_unfinished_runs_together_stay_within_the_limit(lake: Lake) -> None:
    suffix = run_suffix(RUN.collection, RUN.classifier)
    first, _ = (
        freeze_run(lake, ids, f"2026010{day}T000000.000000Z{suffix}") for day, ids in ((1, "ab"), (2, "cd"))
    )
    request = LabelRequest(collection=RUN.collection, description_set="animals", limit=3)
    found = find_resumable(lake, request, RUN.classifier, [], Screen(Console(file=io.StringIO())))
    assert [run for run, _ in found] == [first]

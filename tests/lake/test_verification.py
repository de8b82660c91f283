"""Whatever is broken in a lake is named, and what other processes do meanwhile, or left when they were killed, is no fault."""

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import BusyError
from laketag.pipeline.lake.calibrations import write_calibration
from laketag.pipeline.lake.compaction import compact
from laketag.pipeline.lake.evaluations import Evaluation
from laketag.pipeline.lake.forgotten import read_forgotten, write_forgotten
from laketag.pipeline.lake.layout import LAYOUT
from laketag.pipeline.lake.lease import hold_lease
from laketag.pipeline.lake.nights import write_night
from laketag.pipeline.lake.paths import TABLES, Lake, open_lake
from laketag.pipeline.lake.publish import publish
from laketag.pipeline.lake.run_folds import rewrite_runs
from laketag.pipeline.lake.runs import read_run_table, read_runs
from laketag.pipeline.lake.snapshots import Snapshot, write_snapshot
from laketag.pipeline.lake.staging import Run, freeze_plan, scan_plan
from laketag.pipeline.lake.tables import create_table, encode_table, write_table
from laketag.pipeline.lake.verification import verify, verify_runs
from laketag.pipeline.store.folders import list_folders, remove_folder
from laketag.schemas import EvaluationResults, ImageIndex, Labels, Nights, Runs
from tests.lake.calibrated import CALIBRATION
from tests.lake.decision_rows import decide
from tests.lake.disturbed import Killed, before_each_change, kill_at
from tests.lake.full_lakes import freeze_night, freeze_rest, label_night, stage_night
from tests.lake.label_rows import index_rows
from tests.lake.run_rows import RUN
from tests.lakes.test_earlier_lakes import ROOT


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake after three nights with a changed, a gone, a failed and a new image."""
    lake = open_lake(str(tmp_path_factory.mktemp("nights")), StorageSettings())
    label_night(lake, {"a": "1", "b": "1"}, failed="b")
    label_night(lake, {"a": "2", "b": "1", "c": "1"}, failed="c")
    label_night(lake, {"a": "2", "c": "1", "d": "1"})
    return Path(lake.root)


@pytest.fixture
def nights(lake: Lake, made: Path) -> Lake:
    """A copy of that lake."""
    shutil.copytree(made, lake.root, dirs_exist_ok=True)
    return lake


def faults(lake: Lake) -> list[str]:
    return [f"{fault.where}: {fault.what}" for fault in verify(lake).faults]


def first_label_file(lake: Lake) -> Path:
    return Path(lake.root, read_runs(lake)["files"][0][0])


def test_a_lake_after_some_nights_adds_up_also_compacted(nights: Lake) -> None:
    found = verify(nights)
    assert (found.runs, found.label_files, found.rows, found.snapshots, found.faults) == (3, 3, 7, 3, [])
    with hold_lease(nights, "upkeep") as lease:
        compact(nights, read_run_table(nights), lease)
    found = verify(nights)
    assert (found.runs, found.label_files, found.rows, found.left_over, found.faults) == (3, 1, 7, 6, [])


def test_an_empty_lake_and_one_of_an_earlier_version_add_up(lake: Lake) -> None:
    assert verify(lake).faults == []
    found = verify(open_lake(ROOT, StorageSettings()))
    assert (found.runs, found.faults) == (2, [])


def test_some_runs_are_verified_without_the_files_of_others(nights: Lake) -> None:
    run_ids = read_runs(nights)["run_id"].to_list()
    flip_byte(nights)
    assert verify_runs(nights, read_run_table(nights), run_ids[:1]).faults
    found = verify_runs(nights, read_run_table(nights), run_ids[1:])
    assert (found.runs, found.label_files, found.snapshots, found.faults) == (2, 2, 2, [])
    (lost,) = verify_runs(nights, read_run_table(nights), ["lost"]).faults
    assert lost.where == "run lost"


def test_a_run_that_shares_its_file_after_compaction_is_verified(nights: Lake) -> None:
    with hold_lease(nights, "upkeep") as lease:
        compact(nights, read_run_table(nights), lease)
    table = read_run_table(nights)
    found = verify_runs(nights, table, table.rows["run_id"].to_list()[-1:])
    assert (found.runs, found.label_files, found.faults) == (1, 1, [])


def lose_file(lake: Lake) -> None:
    first_label_file(lake).unlink()


def flip_byte(lake: Lake) -> None:
    data = bytearray(first_label_file(lake).read_bytes())
    data[len(data) // 2] ^= 1
    first_label_file(lake).write_bytes(data)


def change_run(lake: Lake, **columns: object) -> None:
    """The first run says something else."""
    file = Path(lake.run(read_runs(lake)["run_id"][0]))
    rows = pl.read_parquet(file).with_columns(pl.lit(value).alias(name) for name, value in columns.items())
    file.write_bytes(encode_table(Runs.cast(rows), Runs))


def double_row(lake: Lake) -> None:
    file = first_label_file(lake)
    rows = pl.read_parquet(file)
    file.write_bytes(encode_table(Labels.cast(pl.concat([rows, rows[:1]])), Labels))
    change_run(lake, file_sha256=None)


def drop_column(lake: Lake) -> None:
    file = first_label_file(lake)
    pl.read_parquet(file).drop("etag").write_parquet(file)
    change_run(lake, file_sha256=None)


def copy_run(lake: Lake) -> None:
    """A second run has labelled the same images in the same versions."""
    run = read_runs(lake).row(-1, named=True)
    run_id = run["run_id"].replace("-", "1-")
    rows = pl.read_parquet(Path(lake.root, run["files"][0])).with_columns(run_id=pl.lit(run_id))
    url = f"{lake.labels(run['collection'], run['classifier'], run_id)}/part.parquet"
    write_table(rows, url, Labels, lake.storage)
    hour = timedelta(hours=1)
    run |= {"started_at": run["finished_at"] + hour, "finished_at": run["finished_at"] + 2 * hour}
    changed = run | {"run_id": run_id, "files": [url.removeprefix(lake.root + "/")], "file_sha256": None}
    row = pl.DataFrame([changed | {"file_rows": None}], schema=Runs.create_empty().schema)
    create_table(row, lake.run(run_id), Runs, lake.storage)


def add_file(lake: Lake) -> None:
    (first_label_file(lake).parent / "copy.parquet").write_bytes(first_label_file(lake).read_bytes())


def add_note(lake: Lake) -> None:
    (first_label_file(lake).parent / "notes.txt").write_text("mine", encoding="utf-8")


def lose_snapshot_part(lake: Lake) -> None:
    next(Path(lake.root, "index").rglob("*.parquet")).unlink()


def shorten_snapshot(lake: Lake) -> None:
    part = next(iter(sorted(Path(lake.root, "index").rglob("*.parquet"))))
    part.write_bytes(encode_table(ImageIndex.cast(pl.read_parquet(part)[:1]), ImageIndex))


def double_image(lake: Lake) -> None:
    part = next(iter(sorted(Path(lake.root, "index").rglob("*.parquet"))))
    rows = pl.read_parquet(part)
    part.write_bytes(encode_table(ImageIndex.cast(pl.concat([rows[:1], rows[:1]])), ImageIndex))


def lose_run(lake: Lake) -> None:
    """The second run is gone with all that it published."""
    run = read_runs(lake).row(1, named=True)
    for file in (*(Path(lake.root, file) for file in run["files"]), Path(lake.run(run["run_id"]))):
        file.unlink()


def break_descriptions(lake: Lake) -> None:
    next(Path(lake.root, "descriptions").rglob("*.parquet")).write_bytes(b"PAR1")


def lose_descriptions(lake: Lake) -> None:
    next(Path(lake.root, "descriptions").rglob("*.parquet")).unlink()


def break_nights(lake: Lake) -> None:
    write_night(lake, "20260101T000000.000000Z", Nights.create_empty())
    Path(lake.path("nights", "20260101T000000.000000Z.parquet")).write_bytes(b"PAR1")


def cut_run(lake: Lake) -> None:
    Path(lake.run(read_runs(lake)["run_id"][0])).write_bytes(b"PAR1")


BROKEN: list[tuple[Callable[[Lake], None], str]] = [
    (lose_file, r"part-00000-of-00001-\w+.parquet: is missing"),
    (flip_byte, r"part-00000-of-00001-\w+.parquet: was changed after it was published"),
    (lambda lake: change_run(lake, labelled=2, failures=[]), r"run \S+: counts 2 images as labelled, and its files have 1"),
    (lambda lake: change_run(lake, index_rows=9), r"run \S+: counts 9 images in the index, and its snapshot \S+ has 2"),
    (lambda lake: change_run(lake, planned=9), r"runs: .*ledger_balances"),
    (double_row, r"part-00000-of-00001-\w+.parquet: has 3 rows, and its run says 2"),
    (double_row, r"image a: has two rows in one run"),
    (drop_column, r"is no table of labels: .*lacks etag"),
    (copy_run, r"image (c|d): was labelled by two runs in the same version"),
    (add_file, r"copy.parquet: is named by no run"),
    (add_note, r"notes.txt: is no file of laketag's"),
    (lose_snapshot_part, r"run \S+: its snapshot \S+ is missing or incomplete"),
    (shorten_snapshot, r"run \S+: counts 2 images in the index, and its snapshot \S+ has 1"),
    (double_image, r"index/collection=photos/snapshot=\S+: image a has two rows in one snapshot"),
    (lose_run, r"run \S+: counts 1 images as done before it, and the runs before it have done 0"),
    (break_descriptions, r"descriptions/set=animals/version=\S+: cannot be read"),
    (lose_descriptions, r"run \S+: version \S+ of its descriptions animals is missing"),
    (break_nights, r"nights: cannot be read"),
    (cut_run, r"runs: .*no Parquet file"),
]  # fmt: skip


@pytest.mark.parametrize(("damage", "expected"), BROKEN, ids=[message[-40:] for _, message in BROKEN])
def test_what_is_broken_is_named(nights: Lake, damage: Callable[[Lake], None], expected: str) -> None:
    damage(nights)
    assert any(re.search(expected, fault) for fault in faults(nights)), faults(nights)


@pytest.mark.chaos
def test_wherever_a_run_is_killed_the_lake_adds_up(nights: Lake) -> None:
    run = freeze_night(nights, {"a": "3", "e": "1"})
    stage_night(nights, run)
    for number in range(100):
        try:
            with hold_lease(nights, str(number)) as lease, before_each_change(kill_at(number)):
                publish(nights, run, lease)
        except Killed:
            assert faults(nights) == [], number
        except BusyError:  # it was killed after it had committed the run
            break
    assert number > 2
    assert faults(nights) == []


def test_an_index_that_was_killed_is_no_fault(nights: Lake) -> None:
    part = next(Path(nights.root, "index").rglob("*.parquet"))
    folder = part.parent.with_name("snapshot=20990101T000000.000000Z")
    folder.mkdir()
    (folder / "part-00000.parquet").write_bytes(part.read_bytes())
    found = verify(nights)
    assert (found.faults, found.left_over) == ([], 1)


@pytest.mark.chaos
def test_a_compaction_that_was_killed_anywhere_leaves_a_lake_that_adds_up(nights: Lake) -> None:
    for number in range(100):
        try:
            with hold_lease(nights, f"u{number}") as lease, before_each_change(kill_at(number)):
                compact(nights, read_run_table(nights), lease)
        except Killed:
            assert faults(nights) == [], number
        else:
            break
    assert number >= 5
    assert faults(nights) == []


def freeze_sample(lake: Lake, snapshot: Snapshot, images: str) -> Run:
    """A run over these of the pending images is frozen in staging."""
    run = freeze_rest(lake, snapshot)
    pending = scan_plan(lake, run.run_id).collect()
    remove_folder(lake.staging(run.run_id), lake.storage)
    rows = pending.filter(pl.col("image_id").is_in(list(images)))
    sample = replace(run, planned=rows.height, left=pending.height - rows.height)
    freeze_plan(lake, sample, rows)
    return sample


def test_what_runs_found_done_adds_up_beside_unfinished_ones_and_after_failures(lake: Lake) -> None:
    label_night(lake, {"a": "1", "b": "1", "c": "1"}, failed="b")
    etags = pl.Series(["2", "1", "1", "1"])
    snapshot = write_snapshot(lake, RUN.collection, [index_rows("abcd").with_columns(etag=etags)])
    waiting, beside = freeze_sample(lake, snapshot, "ad"), freeze_sample(lake, snapshot, "b")
    for run in (beside, waiting):
        stage_night(lake, run)
        with hold_lease(lake, run.run_id) as lease:
            publish(lake, run, lease)
    label_night(lake, {"a": "1", "b": "1", "c": "1", "d": "1"})  # the version of a comes back
    assert read_runs(lake).select("already_done", "planned", "left").rows() == [
        (0, 3, 0),
        (1, 1, 2),
        (1, 2, 1),
        (3, 1, 0),
    ]
    assert faults(lake) == []


def test_runs_that_share_a_file_must_name_it(nights: Lake) -> None:
    with hold_lease(nights, "upkeep") as lease:
        compact(nights, read_run_table(nights), lease)
    table = read_run_table(nights)
    rewrite_runs(nights, table, table.rows.slice(1))
    assert any("rows of runs that do not name it" in fault for fault in faults(nights))


def test_every_table_has_a_layout_and_every_writer_writes_into_one_of_them(nights: Lake) -> None:
    assert {*LAYOUT, "staging"} == set(TABLES)
    write_night(nights, "20260101T000000.000000Z", Nights.create_empty())
    write_forgotten(nights, read_forgotten(nights))
    Evaluation(nights, "photos-1", "photos").write_results(EvaluationResults.create_empty())
    decide(nights, "a", "dog")
    write_calibration(nights, CALIBRATION, {})
    freeze_night(nights, {"a": "9"})
    with hold_lease(nights, "upkeep") as lease:
        compact(nights, read_run_table(nights), lease)
    of_models = {"embeddings"}  # tests/flows/test_kept_work.py writes and verifies them
    assert set(list_folders(nights.root, nights.storage)) == set(TABLES) - of_models
    assert faults(nights) == []

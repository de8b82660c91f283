"""verify, compact, clean and forget do on an S3 store what the other tests show in a folder, also if it ends halfway."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import StorageError
from laketag.pipeline.flows.forget_images import ForgetRequest, forget_images
from laketag.pipeline.lake import queries
from laketag.pipeline.lake.compaction import compact
from laketag.pipeline.lake.find_garbage import find_garbage
from laketag.pipeline.lake.garbage import Retention, remove_garbage
from laketag.pipeline.lake.lease import Lease, hold_lease
from laketag.pipeline.lake.paths import Lake, open_lake
from laketag.pipeline.lake.runs import read_run_table
from laketag.pipeline.lake.verification import verify
from laketag.pipeline.store.folders import remove_folder
from tests.lake.full_lakes import freeze_night, label_night, stage_night
from tests.lake.named_images import named_images
from tests.lake.run_rows import RUN
from tests.stores.bends import ReadOnly
from tests.stores.fault_proxy import FaultProxy
from tests.stores.store import Store

FORGET = ForgetRequest(names={"/images/b.png": "b"})
LATER = datetime.now(UTC) + timedelta(days=31)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake after nights with an earlier classifier, failed and changed images, and a run that nobody finishes."""
    lake = open_lake(str(tmp_path_factory.mktemp("lake")), StorageSettings())
    label_night(lake, {"a": "1"}, "beef")
    label_night(lake, {"a": "1", "b": "1", "c": "1"}, failed="b")
    label_night(lake, {"a": "2", "b": "1"})
    stage_night(lake, freeze_night(lake, {"a": "3", "b": "1"}, "cafe"))
    return Path(lake.root)


def copy_into(store: Store, made: Path) -> Lake:
    """The same lake in a bucket."""
    for file in made.rglob("*"):
        if file.is_file():
            store.put(f"lake/{file.relative_to(made)}", file.read_bytes())
    return open_lake(store.url("lake"), store.storage)


@pytest.fixture
def lake(bucket: Store, made: Path) -> Lake:
    """The same lake on each S3 server."""
    return copy_into(bucket, made)


def faults(lake: Lake) -> list[str]:
    return [f"{fault.where}: {fault.what}" for fault in verify(lake).faults]


def labels(lake: Lake) -> list[tuple[str, ...]]:
    found = queries.labels(lake.root, also_removed=True).select("image_id", "etag", "run_id")
    return found.collect().sort("image_id").rows()


def upkeep(lake: Lake, lease: Lease) -> None:
    compact(lake, read_run_table(lake), replace(lease, lake=lake))


def clean(lake: Lake, _: Lease) -> None:
    remove_garbage(lake, find_garbage(lake, Retention(30, 0, LATER)))


@pytest.mark.chaos
@pytest.mark.parametrize("work", [upkeep, clean], ids=["compact", "clean"])
def test_where_the_store_refuses_a_change_the_lake_adds_up_and_the_next_call_completes_it(
    lake: Lake, bucket: Store, faults: FaultProxy, work: Callable[[Lake, Lease], None]
) -> None:
    before = labels(lake)
    disturbed = open_lake(lake.root, bucket.through(faults.url).storage)
    with hold_lease(lake, "upkeep") as lease:
        for changes in (0, 2, 3):
            faults.bend = ReadOnly(changes)
            with pytest.raises(StorageError):
                work(disturbed, lease)
            assert verify(lake).faults == [], changes
            assert labels(lake) == before, changes
        work(lake, lease)
    assert verify(lake).faults == []
    assert labels(lake) == before


def test_what_is_broken_is_named(moto: Store, made: Path) -> None:
    lake = copy_into(moto, made)
    assert faults(lake) == []
    runs = read_run_table(lake).rows
    (flipped,), (lost,) = runs["files"][1:].to_list()
    data = bytearray(moto.get(f"lake/{flipped}"))
    data[len(data) // 2] ^= 1
    moto.put(f"lake/{flipped}", bytes(data))
    moto.delete(f"lake/{lost}")
    moto.put("lake/labels/notes.txt", b"mine")
    remove_folder(f"{lake.index_snapshots(RUN.collection)}/snapshot={runs['snapshot'][0]}", lake.storage)
    assert faults(lake) == [
        "labels/notes.txt: is no file of laketag's, but readers scan this folder; remove it",
        f"run {runs['run_id'][0]}: its snapshot {runs['snapshot'][0]} is missing or incomplete",
        f"{flipped}: was changed after it was published: its SHA-256 is not that in the row of its run",
        f"{lost}: is missing, but runs name it",
    ]


@pytest.mark.chaos
def test_a_forget_that_the_store_ended_is_completed_by_the_next(
    lake: Lake, bucket: Store, faults: FaultProxy
) -> None:
    disturbed = open_lake(lake.root, bucket.through(faults.url).storage)
    for changes in (5, 9):
        faults.bend = ReadOnly(changes)
        with pytest.raises(StorageError):
            forget_images(disturbed, FORGET, print)
        assert verify(lake).faults == [], changes
        remove_folder(lake.path("staging", "leases"), lake.storage)  # as if the process had ended long ago
    forget_images(lake, FORGET, print)
    found = verify(lake)
    assert (found.faults, named_images(lake)["labels"]) == ([], {"a", "c"})

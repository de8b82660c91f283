"""Forgetting images of a lake: what indexes, queries and unfinished runs have afterwards."""

import errno
import os
from pathlib import Path

import polars as pl
import pytest

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import BusyError, StorageError
from laketag.pipeline.flows.forget_images import ForgetRequest, find_named, forget_images, unforget_images
from laketag.pipeline.flows.index_images import IndexRequest, index_images
from laketag.pipeline.images.read_source import Source
from laketag.pipeline.lake import queries
from laketag.pipeline.lake.lease import LeaseTimes, hold_lease
from laketag.pipeline.lake.paths import open_lake
from laketag.pipeline.lake.publish import publish
from laketag.pipeline.lake.snapshots import find_snapshot, write_snapshot
from laketag.pipeline.lake.staging import find_unfinished
from laketag.pipeline.lake.verification import verify
from laketag.pipeline.store.files import remove_file
from tests.flows.indexed import index
from tests.lake.disturbed import Disturbed, before_each_change
from tests.lake.full_lakes import freeze_night, freeze_rest, label_night, stage_night
from tests.lake.label_rows import index_rows, label_row
from tests.lake.named_images import named_images
from tests.lake.run_rows import RUN, write_run
from tests.stores.store import Store


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())


def names(indexed) -> list[str]:
    return [Path(uri).name for uri in indexed.rows["uri"]]


def test_forgotten_images_are_in_no_later_index_until_they_are_unforgotten(tmp_path: Path) -> None:
    images, lake = tmp_path / "images", open_lake(str(tmp_path / "lake"), StorageSettings())
    put(images, "jane/1.jpg", "jane/2.jpg", "janet/3.jpg", "4.jpg", "5.jpg")
    index(images, tmp_path / "lake")
    by_prefix = ForgetRequest(prefix=f"{images}/jane/")
    by_list = ForgetRequest(names={f"{images}/{name}.jpg": f"{name}.jpg" for name in (5, 6)})
    assert find_named(lake, by_prefix).found.images == {"c": 2}
    assert not (tmp_path / "lake/forgotten").exists()
    report = forget_images(lake, by_prefix, print)
    assert (report.found.images, report.removed) == ({"c": 2}, {"index": 2})
    assert forget_images(lake, by_list, print).found.unknown == 1
    put(images, "6.jpg")
    again = index(images, tmp_path / "lake")
    assert names(again) == ["4.jpg", "3.jpg"]
    assert (again.summary.is_new, again.summary.left_out) == (False, {"forgotten": 4})
    assert forget_images(lake, by_prefix, print).removed == {}
    assert unforget_images(lake, ForgetRequest(prefix=f"{images}/jane"), print) == 0
    assert unforget_images(lake, by_prefix, print) == 2
    assert unforget_images(lake, ForgetRequest(names={f"{images}/6.jpg": "6.jpg"}), print) == 1
    assert names(index(images, tmp_path / "lake")) == ["4.jpg", "6.jpg", "1.jpg", "2.jpg", "3.jpg"]


def test_an_index_that_was_reading_while_images_were_forgotten_is_not_written(tmp_path: Path) -> None:
    images, lake = tmp_path / "images", open_lake(str(tmp_path / "lake"), StorageSettings())
    put(images, "1.jpg", "2.jpg")
    index(images, tmp_path / "lake")
    put(images, "3.jpg", "notes.txt")
    request = IndexRequest(source=Source(url=str(images)), collection="c")
    forget = ForgetRequest(prefix=f"{images}/1")
    forgotten: list[object] = []
    kept: list[int] = []  # images of the index before each change afterwards, where a kill would leave them

    def count() -> None:
        if forgotten:
            kept.append(len(named_images(lake)["index"]))

    with before_each_change(count), pytest.raises(BusyError, match="forget has removed images"):
        index_images(lake, request, lambda *_: forgotten.append(forget_images(lake, forget, print)))
    assert set(kept) <= {1}
    assert [Path(uri).name for uri in pl.read_parquet(tmp_path / "lake/index/**/*.parquet")["uri"]] == [
        "2.jpg"
    ]
    assert index_images(lake, request).left_out == {"forgotten": 1, ".txt": 1}


def test_only_the_named_collection_forgets(tmp_path: Path) -> None:
    lake = open_lake(str(tmp_path), StorageSettings())
    for collection in ("photos", "others"):
        write_snapshot(lake, collection, [index_rows("ab")])
        write_run(lake, 1 + (collection == "others"), [label_row("a"), label_row("b")], collection=collection)
    forget_images(lake, ForgetRequest(prefix="/images/a", collection="photos"), print)
    shown = queries.labels(lake.root).select("collection", "image_id").collect().sort("collection").rows()
    assert shown == [("others", "a"), ("others", "b"), ("photos", "b")]


def test_a_lake_that_is_being_labelled_is_not_touched(tmp_path: Path) -> None:
    lake = open_lake(str(tmp_path), StorageSettings())
    write_snapshot(lake, "photos", [index_rows("ab")])
    with hold_lease(lake, "photos-0", times=LeaseTimes(heartbeat_s=0.1)), pytest.raises(BusyError):
        forget_images(lake, ForgetRequest(prefix="/images/a"), print)
    assert named_images(lake) == {"index": {"a", "b"}}
    assert not (tmp_path / "forgotten").exists()


def test_a_lake_adds_up_after_images_were_forgotten_also_in_runs_that_finish_afterwards(
    tmp_path: Path,
) -> None:
    """Of a published run, an unfinished one, and one of another classifier that begins later on the same index."""
    lake = open_lake(str(tmp_path), StorageSettings())
    label_night(lake, {"a": "1", "b": "1", "c": "1"}, failed="c")
    unfinished = freeze_night(lake, {"a": "1", "b": "1", "c": "1", "d": "1", "e": "1"})
    stage_night(lake, unfinished)
    forget_images(lake, ForgetRequest(names={f"/images/{name}.png": name for name in "acd"}), print)
    assert verify(lake).faults == []
    (resumed,) = find_unfinished(lake, RUN.collection, RUN.classifier, [])[-1:]
    snapshot = find_snapshot(lake, RUN.collection)
    assert snapshot is not None
    later = freeze_rest(lake, snapshot, "beef")
    stage_night(lake, later)
    with hold_lease(lake, "x") as lease:
        publish(lake, resumed, lease)
        publish(lake, later, lease)
    assert named_images(lake) == {key: {"b", "e"} for key in ("index", "labels", "scores")}
    assert verify(lake).faults == []
    planned = queries.runs(lake.root).select("planned", "labelled", "forgotten").collect().rows()
    assert planned == [(3, 1, 2), (1, 1, None), (2, 2, None)]


def test_a_run_that_is_committed_after_its_images_were_forgotten_names_no_missing_file(
    tmp_path: Path,
) -> None:
    lake = open_lake(str(tmp_path), StorageSettings())
    run = freeze_night(lake, {"a": "1", "b": "1"})
    stage_night(lake, run)

    def forget() -> None:
        remove_file(lake.path("staging", "leases", "x.json"), lake.storage)
        forget_images(lake, ForgetRequest(prefix="/images/a"), print)

    last = 3  # the first check is before the parts are listed, the second before the file, this one before the commit
    with hold_lease(lake, "x") as lease, pytest.raises(BusyError, match="taken over"):
        publish(lake, run, Disturbed(lease, last, forget))
    assert verify(lake).faults == []
    assert named_images(lake) == {"index": {"b"}, "staging": {"b"}}
    (resumed,) = find_unfinished(lake, RUN.collection, RUN.classifier, [])
    with hold_lease(lake, "x") as lease:
        publish(lake, resumed, lease)
    assert named_images(lake) == {key: {"b"} for key in ("index", "labels", "scores")}


def test_where_a_kill_could_lose_a_file_that_is_replaced_nothing_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = open_lake(str(tmp_path), StorageSettings())
    write_snapshot(lake, "photos", [index_rows("ab")])

    def only_to_new(old: str, new: str) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted", old, None, new)

    monkeypatch.setattr(os, "replace", only_to_new)
    with pytest.raises(
        StorageError, match=r"cannot replace a file by renaming another one.*nothing was changed"
    ):
        forget_images(lake, ForgetRequest(prefix="/images/a"), print)
    assert named_images(lake) == {"index": {"a", "b"}}
    assert {path.name for path in tmp_path.iterdir()} == {"index"}


def test_images_are_forgotten_in_a_store(moto: Store) -> None:
    lake = open_lake(moto.url("lake"), moto.storage)
    write_snapshot(lake, "photos", [index_rows("abc")])
    write_run(lake, 1, [label_row("a"), label_row("b", failure="empty"), label_row("c")], files=2)
    request = ForgetRequest(names={"/images/a.png": "a", "/images/b.png": "b"})
    assert forget_images(lake, request, print).removed == {"index": 2, "labels": 2}
    assert named_images(lake) == {"index": {"c"}, "labels": {"c"}}
    run = queries.runs(lake.root, storage=moto.storage).collect().row(0, named=True)
    assert (run["planned"], run["labelled"], run["failures"], run["forgotten"]) == (3, 1, [], 2)
    assert queries.labels(lake.root, storage=moto.storage).collect()["image_id"].to_list() == ["c"]
    assert find_snapshot(lake, "photos") is not None

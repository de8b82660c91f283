import polars as pl
import pytest

import laketag.pipeline.lake.snapshots as snapshots
from laketag.pipeline.errors import InputError
from laketag.pipeline.lake.snapshot_changes import Changes
from laketag.pipeline.lake.snapshots import (
    find_snapshot,
    latest_snapshot,
    scan_snapshot,
    write_changes,
    write_snapshot,
)
from laketag.pipeline.store.versions import UNKNOWN
from tests.lake.label_rows import index_rows


def test_a_snapshot_holds_all_rows_in_order_whatever_the_batches(lake, monkeypatch) -> None:
    monkeypatch.setattr(snapshots, "ROWS_PER_PART", 4)  # a bound, not behaviour
    ids = [f"{number:03}" for number in range(13)]
    batches = [index_rows(ids[:1]), index_rows(ids[1:10]), index_rows(ids[10:])]
    written = write_snapshot(lake, "c", batches)
    assert [url.rpartition("/")[2] for url in written.files] == [
        "part-00000.parquet",
        "part-00001.parquet",
        "part-00002.parquet",
        "part-00003.last.parquet",
    ]
    assert latest_snapshot(lake, "c") == written
    assert scan_snapshot(lake, written).collect()["image_id"].to_list() == ids


def test_an_empty_collection_is_a_snapshot_without_rows(lake) -> None:
    written = write_snapshot(lake, "c", [])
    assert scan_snapshot(lake, latest_snapshot(lake, "c")).collect().height == 0
    assert len(written.files) == 1


def test_a_snapshot_whose_writer_was_killed_is_not_read(lake, tmp_path) -> None:
    whole = write_snapshot(lake, "c", [index_rows(["a"])])

    def killed():
        yield index_rows([f"{n}" for n in range(snapshots.ROWS_PER_PART)])
        yield index_rows(["late"])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_snapshot(lake, "c", killed())
    assert latest_snapshot(lake, "c") == whole


def test_a_missing_collection_is_named_with_those_there_are(lake) -> None:
    write_snapshot(lake, "birds", [index_rows(["a"])])
    with pytest.raises(InputError, match=r"no index of collection 'fish'.*birds.*laketag index SOURCE"):
        latest_snapshot(lake, "fish")


def test_a_newer_snapshot_wins(lake) -> None:
    write_snapshot(lake, "c", [index_rows(["a"])])
    newer = write_snapshot(lake, "c", [index_rows(["a", "b"])])
    assert latest_snapshot(lake, "c") == newer


def test_a_snapshot_is_written_only_if_something_changed(lake, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(snapshots, "ROWS_PER_PART", 2)  # a bound, not behaviour
    first = write_changes(lake, "c", [index_rows("abc")])
    assert (first.is_new, first.changes) == (True, Changes(new=3))
    again = write_changes(lake, "c", [index_rows("bca")])
    assert (again.is_new, again.changes, again.snapshot) == (False, Changes(), first.snapshot)
    newer = write_changes(lake, "c", [index_rows("ac"), index_rows("b", etag="v2")])
    assert (newer.is_new, newer.changes) == (True, Changes(changed=1))
    assert latest_snapshot(lake, "c") == newer.snapshot
    assert len(list((tmp_path / "index/collection=c").iterdir())) == 2


def test_changes_count_from_what_others_finished_meanwhile(lake) -> None:
    def batches():
        write_snapshot(lake, "c", [index_rows("ab")])
        yield index_rows("ab")

    written = write_changes(lake, "c", batches())
    assert (written.is_new, written.snapshot) == (False, latest_snapshot(lake, "c"))


def test_nothing_is_left_of_a_snapshot_whose_source_ends_in_an_error(lake, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(snapshots, "ROWS_PER_PART", 2)  # a bound, not behaviour

    def refused():
        yield index_rows("abcde")
        raise InputError("the source breaks a rule; correct it")

    with pytest.raises(InputError):
        write_changes(lake, "c", refused())
    assert find_snapshot(lake, "c") is None
    assert not list(tmp_path.rglob("*.parquet"))


def test_a_snapshot_from_which_too_many_images_are_gone_is_refused_and_nothing_is_written(
    lake, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(snapshots, "ROWS_PER_PART", 50)  # a bound, not behaviour
    ids = [f"{number:03}" for number in range(100)]
    first = write_changes(lake, "c", [index_rows(ids)])
    lost = pl.concat([index_rows(ids[21:]), index_rows(ids[:1], etag=UNKNOWN)])
    said = r"21 of the 100 images .* gone \(1 of them named by the source.*such as /images/000.png, .*--accept-gone"
    with pytest.raises(InputError, match=said):
        write_changes(lake, "c", [lost], 0.2)
    assert find_snapshot(lake, "c") == first.snapshot
    assert len(list((tmp_path / "index/collection=c").iterdir())) == 1
    assert write_changes(lake, "c", [lost], 0.21).changes == Changes(gone=20, unseen=1)
    assert write_changes(lake, "c", [], 0.2).changes == Changes(gone=80)  # of fewer than 100 images

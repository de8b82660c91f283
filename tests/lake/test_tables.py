"""A table is written whole or not at all, created by exactly one of many, and read back under its contract."""

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from laketag.pipeline.errors import InputError, StorageError
from laketag.pipeline.lake.tables import create_bytes, create_table, read_table, scan_table, write_table
from laketag.pipeline.store.filesystems import open_filesystem
from laketag.schemas import ImageIndex
from tests.stores.fault_proxy import Fault, FaultProxy
from tests.stores.store import Store

ROOT = Path(__file__).parents[2]


def rows(*ids: str) -> pl.DataFrame:
    return pl.DataFrame(
        [{"image_id": i, "uri": f"/{i}", "etag": "1", "size_bytes": 1, "true_class": "c"} for i in ids],
        schema=ImageIndex.create_empty().schema,
    )


def test_a_table_is_read_back_as_it_was_written(store: Store) -> None:
    url = store.url("deep/er/table.parquet")
    size_bytes = write_table(rows("a", "b"), url, ImageIndex, store.storage)
    assert read_table(url, ImageIndex, store.storage).equals(rows("a", "b"))
    assert len(store.get("deep/er/table.parquet")) == size_bytes


def test_writing_again_replaces_and_leaves_nothing_beside(store: Store) -> None:
    url = store.url("t/table.parquet")
    write_table(rows("a"), url, ImageIndex, store.storage)
    write_table(rows("b"), url, ImageIndex, store.storage)
    assert read_table(url, ImageIndex, store.storage)["image_id"].to_list() == ["b"]
    filesystem, path = open_filesystem(store.url("t"), store.storage)
    assert len(filesystem.find(path)) == 1


def test_the_footer_says_what_columns_mean(store: Store) -> None:
    url = store.url("table.parquet")
    write_table(rows("a"), url, ImageIndex, store.storage, {"laketag.extra": "x"})
    filesystem, path = open_filesystem(url, store.storage)
    with filesystem.open(path) as file:
        parquet = pq.ParquetFile(file)
        fields, footer = parquet.schema_arrow, parquet.metadata.metadata
        assert parquet.metadata.row_group(0).column(0).compression == "ZSTD"
    for name, column in ImageIndex.columns().items():
        assert fields.field(name).metadata[b"description"].decode() == column.description
    assert footer[b"laketag.schema"] == b"ImageIndex"
    assert footer[b"laketag.extra"] == b"x"


def test_several_files_are_scanned_lazily_beside_what_is_no_table(store: Store) -> None:
    urls = [store.url(f"t/{name}.parquet") for name in "ab"]
    for url, name in zip(urls, "ab", strict=True):
        write_table(rows(name), url, ImageIndex, store.storage)
    store.put("t/notes.txt", b"no table")
    frame = scan_table(urls, ImageIndex, store.storage).filter(pl.col("image_id") == "b")
    assert frame.collect()["uri"].to_list() == ["/b"]


def test_another_table_is_refused_by_its_footer(store: Store) -> None:
    url = store.put("other.parquet", parquet(pl.DataFrame({"x": [1]})))
    with pytest.raises(InputError, match=r"other\.parquet: is no table of ImageIndex, it lacks image_id"):
        scan_table([url], ImageIndex, store.storage)


def test_rows_that_break_the_contract_are_refused(store: Store) -> None:
    url = store.put("twice.parquet", parquet(rows("a", "a")))
    with pytest.raises(InputError, match=r"twice\.parquet.*primary_key"):
        read_table(url, ImageIndex, store.storage)


def parquet(frame: pl.DataFrame) -> bytes:
    import io

    sink = io.BytesIO()
    frame.write_parquet(sink)
    return sink.getvalue()


def test_only_the_first_creates(store: Store) -> None:
    url = store.url("t/table.parquet")
    assert create_table(rows("a"), url, ImageIndex, store.storage)
    assert not create_table(rows("b"), url, ImageIndex, store.storage)
    assert create_table(rows("a"), url, ImageIndex, store.storage), "what lies there is what we would write"
    assert read_table(url, ImageIndex, store.storage)["image_id"].to_list() == ["a"]


def test_of_many_threads_exactly_one_creates(store: Store) -> None:
    for race in range(5):
        url = store.url(f"race-{race}")
        gate = threading.Barrier(8)

        def create(me: int, url: str = url, gate: threading.Barrier = gate) -> bool:
            gate.wait()
            return create_bytes(url, b"%d" % me * 500, store.storage)

        with ThreadPoolExecutor(8) as pool:
            won = list(pool.map(create, range(8)))
        assert sum(won) == 1
        assert store.get(f"race-{race}") == b"%d" % won.index(True) * 500


RACER = """
import sys, time
from laketag.pipeline.config import StorageSettings
from laketag.pipeline.lake.tables import create_bytes
root, me, start = sys.argv[1], sys.argv[2].encode(), float(sys.argv[3])
create_bytes(f"{root}/warm-{me.decode()}", me, StorageSettings())
time.sleep(max(0.0, start - time.time()))
print([create_bytes(f"{root}/race-{n}", me * 500, StorageSettings()) for n in range(20)])
"""


def test_of_many_processes_exactly_one_creates(store: Store) -> None:
    start = str(time.time() + 3)
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, store.root, str(me), start],
            env={**os.environ, **store.env},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        for me in range(2)
    ]
    answers = [racer.communicate(timeout=60)[0] for racer in racers]
    won = [[word == "True" for word in answer.strip("[]\n").split(", ")] for answer in answers]
    for race in range(20):
        winners = [me for me in range(2) if won[me][race]]
        assert len(winners) == 1
        assert store.get(f"race-{race}") == str(winners[0]).encode() * 500


def test_a_lost_acknowledgement_is_still_ours(bucket: Store, faults: FaultProxy) -> None:
    """The store applies the write, the answer is lost, the client's own retry meets a 412."""
    fault = faults.add(Fault("drop_ack", path="run.parquet", method="PUT", times=1))
    behind = bucket.through(faults.url)
    assert create_table(rows("a"), behind.url("run.parquet"), ImageIndex, behind.storage)
    assert fault.hits == 1
    assert faults.count("run.parquet", "PUT") > 1
    assert not create_table(rows("b"), behind.url("run.parquet"), ImageIndex, behind.storage)


def test_a_busy_store_is_tried_again(bucket: Store, faults: FaultProxy) -> None:
    faults.add(Fault("status", path="t.parquet", method="PUT", times=2))
    behind = bucket.through(faults.url)
    assert create_table(rows("a"), behind.url("t.parquet"), ImageIndex, behind.storage)


def test_a_conflicting_write_under_way_is_waited_for(bucket: Store, faults: FaultProxy) -> None:
    conflict = Fault("status", path="t", method="PUT", times=1, status=409, code="ConditionalRequestConflict")
    faults.add(conflict)
    assert create_bytes(bucket.url("t"), b"x", bucket.through(faults.url).storage)
    assert conflict.hits == 1


def test_a_store_without_conditional_writes_is_named(bucket: Store, faults: FaultProxy) -> None:
    faults.add(Fault("status", method="PUT", status=501, code="NotImplemented"))
    with pytest.raises(StorageError, match=r"If-None-Match.*keep the lake on one that can"):
        create_bytes(bucket.url("x"), b"x", bucket.through(faults.url).storage)


def test_large_tables_are_one_request(bucket: Store, faults: FaultProxy) -> None:
    """Multipart uploads ignore If-None-Match on Ceph."""
    data = bytes(101 * 2**20)
    assert create_bytes(bucket.url("large"), data, bucket.through(faults.url).storage)
    assert faults.count("large", "PUT") == 1
    assert faults.count("large", "POST") == 0

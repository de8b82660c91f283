"""A file is written whole or not at all, and of many that create it exactly one wins."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from laketag.pipeline.errors import StorageError
from laketag.pipeline.store.atomic_write import create_bytes, write_bytes
from laketag.pipeline.store.schemes import open_filesystem
from tests.stores.fault_proxy import Fault, FaultProxy
from tests.stores.store import Store

ROOT = Path(__file__).parents[2]


def names_in(folder: str, store: Store) -> list[str]:
    filesystem, path = open_filesystem(folder, store.storage)
    return [name.rpartition("/")[2] for name in filesystem.find(path)]


def test_writing_again_replaces_and_leaves_nothing_beside(store: Store) -> None:
    for data in (b"old", b"new"):
        write_bytes(store.url("deep/er/file"), data, store.storage)
        assert store.get("deep/er/file") == data
    assert names_in(store.url("deep"), store) == ["file"]


def test_only_the_first_creates_and_the_others_leave_nothing_beside(store: Store) -> None:
    url = store.url("deep/er/file")
    assert create_bytes(url, b"a", store.storage)
    assert not create_bytes(url, b"b", store.storage)
    assert create_bytes(url, b"a", store.storage), "the file has this content, whoever wrote it"
    assert store.get("deep/er/file") == b"a"
    assert names_in(store.url("deep"), store) == ["file"]


def test_a_write_that_fails_leaves_nothing_beside(tmp_path: Path) -> None:
    (tmp_path / "in the way").mkdir()
    with pytest.raises(StorageError, match="in the way"):
        write_bytes(str(tmp_path / "in the way"), b"x", Store("folder", str(tmp_path)).storage)
    assert [path.name for path in tmp_path.iterdir()] == ["in the way"]


RACER = """
import sys
from laketag.pipeline.config import StorageSettings
from laketag.pipeline.store.atomic_write import create_bytes
root, me = sys.argv[1], sys.argv[2].encode()
create_bytes(f"{root}/warm-{me.decode()}", me, StorageSettings())
print("ready", flush=True)
sys.stdin.readline()
print([create_bytes(f"{root}/race-{n}", me * 500, StorageSettings()) for n in range(20)])
"""


def test_of_many_processes_exactly_one_creates(store: Store) -> None:
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, store.root, str(me)],
            env={**os.environ, **store.env},
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for me in range(2)
    ]
    assert [racer.stdout.readline() for racer in racers if racer.stdout] == ["ready\n"] * 2
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
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
    assert create_bytes(behind.url("run.parquet"), b"a", behind.storage)
    assert fault.hits == 1
    assert faults.count("run.parquet", "PUT") > 1
    assert not create_bytes(behind.url("run.parquet"), b"b", behind.storage)


def test_a_conflicting_write_under_way_is_waited_for(bucket: Store, faults: FaultProxy) -> None:
    conflict = Fault("status", path="t", method="PUT", times=1, status=409, code="ConditionalRequestConflict")
    faults.add(conflict)
    assert create_bytes(bucket.url("t"), b"x", bucket.through(faults.url).storage)
    assert conflict.hits == 1


def test_a_store_without_conditional_writes_is_named(bucket: Store, faults: FaultProxy) -> None:
    faults.add(Fault("status", method="PUT", status=501, code="NotImplemented"))
    with pytest.raises(StorageError, match=r"If-None-Match.*keep the lake on a store that can"):
        create_bytes(bucket.url("x"), b"x", bucket.through(faults.url).storage)


def test_large_tables_are_one_request(bucket: Store, faults: FaultProxy) -> None:
    """Multipart uploads ignore If-None-Match on Ceph."""
    data = bytes(101 * 2**20)
    assert create_bytes(bucket.url("large"), data, bucket.through(faults.url).storage)
    assert faults.count("large", "PUT") == 1
    assert faults.count("large", "POST") == 0

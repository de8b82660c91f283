import hashlib
import multiprocessing
import os
import resource
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from laketag.pipeline.errors import ModelError, StorageError
from laketag.pipeline.models.hashed_file import ExpectedSha256, HashedFile
from laketag.pipeline.models.node_cache import copy_once, locked
from tests.models.copying import CountedSource, copy, copy_with_others, light_processes

CONTENT = os.urandom(3_000_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
PROCESSES = 8
KNOWN = ExpectedSha256(SHA256, "backbone.sha256", by_driver=True)


@pytest.fixture
def source(tmp_path: Path) -> CountedSource:
    (tmp_path / "source").write_bytes(CONTENT)
    return CountedSource(tmp_path / "source", tmp_path / "log", pause_s=0.2)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def damage(cache: Path) -> None:
    (cache / f"{SHA256}.safetensors").write_bytes(b"\0" + CONTENT[1:])


@pytest.mark.parametrize(
    ("expected", "damaged"), [(KNOWN, True), (None, False)], ids=["known, damaged", "unknown, absent"]
)
def test_many_processes_at_once_read_the_source_once(
    source: CountedSource, cache: Path, expected: ExpectedSha256 | None, damaged: bool
) -> None:
    if damaged:
        copy(source, cache, expected)
        damage(cache)
        source.log.unlink()
    context = light_processes()
    answers: multiprocessing.Queue[HashedFile] = context.Queue()
    arguments = (source, cache, expected, context.Barrier(PROCESSES), answers)
    processes = [context.Process(target=copy_with_others, args=arguments) for _ in range(PROCESSES)]
    for process in processes:
        process.start()
    copies = {answers.get(timeout=60) for _ in processes}
    for process in processes:
        process.join()
    assert copies == {HashedFile(cache / f"{SHA256}.safetensors", SHA256)}
    assert copies.pop().path.read_bytes() == CONTENT
    assert source.log.read_bytes() == b"."


@pytest.mark.parametrize("expected", [KNOWN, None], ids=["known", "unknown"])
def test_a_damaged_copy_is_downloaded_again_and_never_used(
    source: CountedSource, cache: Path, expected: ExpectedSha256 | None
) -> None:
    copy(source, cache, expected)
    damage(cache)
    repaired = copy(source, cache, expected)
    assert (repaired.sha256, repaired.path.read_bytes()) == (SHA256, CONTENT)
    assert source.log.read_bytes() == b".."


def test_a_good_copy_is_used_without_waiting_for_the_lock(source: CountedSource, cache: Path) -> None:
    copy(source, cache, KNOWN)
    with locked(cache, SHA256):
        assert copy(source, cache, KNOWN).sha256 == SHA256


def test_a_copy_made_without_a_checksum_is_used_with_one(source: CountedSource, cache: Path) -> None:
    for expected in (None, KNOWN, None):
        copy(source, cache, expected)
    assert source.log.read_bytes() == b"."


def test_another_version_of_the_object_is_downloaded_again(source: CountedSource, cache: Path) -> None:
    first = copy(source, cache, version="1")
    source.path.write_bytes(b"other")
    second = copy(source, cache, version="2")
    assert (first.path.read_bytes(), second.path.read_bytes()) == (CONTENT, b"other")


def test_a_wrong_checksum_is_refused_and_leaves_nothing_behind(source: CountedSource, cache: Path) -> None:
    expected = ExpectedSha256("0" * 64, "backbone.sha256", by_driver=True)
    with pytest.raises(ModelError, match=f"weights s3://b/m.safetensors have sha256 {SHA256}"):
        copy(source, cache, expected)
    assert [path.suffix for path in cache.iterdir()] == [".lock"]


def test_a_source_that_breaks_off_leaves_no_half_a_file_and_its_own_error(cache: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield b"half"
        raise StorageError("s3://b/m.safetensors: gone")

    with pytest.raises(StorageError, match=r"^s3://b/m\.safetensors: gone$"):
        copy_once(broken, "s3://b/m.safetensors", expected=KNOWN, version=None, folder=cache)
    assert [path.suffix for path in cache.iterdir()] == [".lock"]


def test_the_part_file_of_a_killed_download_is_removed_by_the_next_one(
    source: CountedSource, cache: Path
) -> None:
    slow = CountedSource(source.path, source.log, pause_s=600)
    process = light_processes().Process(target=copy, args=(slow, cache, KNOWN))
    process.start()
    while not list(cache.glob(".*.part")):
        time.sleep(0.01)  # until half a copy is there; the test's own time limit ends the wait
    process.kill()
    process.join()
    assert list(cache.glob(".*.part"))
    copy(source, cache, KNOWN)
    assert not list(cache.glob(".*.part"))


def test_a_cache_that_cannot_be_made_is_named_with_its_variable(source: CountedSource, cache: Path) -> None:
    cache.write_bytes(b"in the way")
    with pytest.raises(StorageError, match=rf"weights, {cache} on .* cannot be used .* set LAKETAG_CACHE"):
        copy(source, cache, KNOWN)
    assert not source.log.exists()


def test_a_cache_without_room_is_named_and_not_the_store(source: CountedSource, cache: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(
        resource.RLIMIT_FSIZE, (1_000_000, limits[1])
    )  # as a full disk, for this process alone
    try:
        with pytest.raises(
            StorageError, match=rf"^the folder of downloaded weights, {cache} on .* make room"
        ):
            copy(source, cache, KNOWN)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert [path.suffix for path in cache.iterdir()] == [".lock"]

"""A lake on a disk that becomes full while images are labelled: a sentence, nothing torn, and the same command goes on."""

import random
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from laketag.pipeline.cluster.ray_files import LEAST_BYTES, check_room
from laketag.pipeline.errors import StorageError
from laketag.pipeline.lake.id_ranges import TemporaryRows
from laketag.pipeline.store.folders import list_files
from tests.end_to_end.command_line import must_run, one_line, run_laketag
from tests.end_to_end.lakes import index_named, label, put_all, put_described, table
from tests.end_to_end.pictures import encoded, picture
from tests.stores.store import folder_store

IMAGES = 24
LEFT_BYTES = 60_000
"""Enough for the plan, the lease and a few parts of eight rows."""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A filesystem of 4 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("this user may not mount a filesystem")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_full_disk_for_temporary_files_is_named_and_keeps_none_of_them(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(small_disk))
    ids = random.Random(0).randbytes(16 * 400_000).hex()
    batch = pl.DataFrame({"image_id": [ids[at : at + 32] for at in range(0, len(ids), 32)]})
    rows = TemporaryRows(batch.clear())
    with pytest.raises(StorageError, match=f"no space is left on the disk that is mounted at {small_disk}"):
        rows.add(batch)
    assert not list(small_disk.iterdir())
    rows.close()


@pytest.mark.usefixtures("joined_ray")
def test_a_run_on_a_disk_that_becomes_full_ends_with_a_sentence_and_is_resumed(
    small_disk: Path, tiny_settings: Path, described: Path
) -> None:
    store = folder_store(small_disk)
    images = {f"{number}.png": encoded(picture(number), "PNG") for number in range(IMAGES)}
    put_all(store, images)
    lake = store.url("lake")
    index_named(store, lake, images)
    put_described(store, lake, described)
    filler = small_disk / "filler"
    free = subprocess.run(
        ["df", "--output=avail", "-B1", str(small_disk)], capture_output=True, text=True, check=True
    )
    filler.write_bytes(bytes(int(free.stdout.split()[-1]) - LEFT_BYTES))

    full = run_laketag(*label(lake), "--settings", str(tiny_settings))
    assert full.code == 4, full
    assert f"no space is left on the disk that is mounted at {small_disk}" in one_line(full.err)
    assert "Traceback" not in full.err
    assert list_files(f"{lake}/labels", store.storage) == []
    assert not list(small_disk.rglob("*.tmp"))

    filler.unlink()
    said = one_line(must_run(*label(lake), "--settings", str(tiny_settings)))
    assert f"labelled {IMAGES}" in said
    assert table(store, lake)["label"].null_count() == 0


def test_a_ray_whose_disk_is_full_is_not_started_and_the_disk_is_named(
    small_disk: Path, tmp_path: Path
) -> None:
    assert shutil.disk_usage(tmp_path).free > LEAST_BYTES
    check_room(tmp_path / "ray")
    with pytest.raises(
        StorageError, match=f"no space is left on the disk that is mounted at {small_disk} on "
    ):
        check_room(small_disk / "ray")

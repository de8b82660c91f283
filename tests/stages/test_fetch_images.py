"""The stage keeps every row and its order, and adds bytes or a failure; laketag.pipeline.images.fetch says which."""

from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from laketag.pipeline.config import FetchSettings, StorageSettings
from laketag.pipeline.errors import AccessError
from laketag.pipeline.images.image_locations import embedded_uri
from laketag.pipeline.stages.fetch_images import fetch_images, fetch_in_parts
from tests.images.reading import put
from tests.stores.bends import Bend, Expires
from tests.stores.fault_proxy import FaultProxy
from tests.stores.store import Store, folder_store


def plan(store: Store, *keys: str) -> pa.Table:
    return pa.table(
        {
            "image_id": list(keys),
            "uri": [store.url(key) for key in keys],
            "etag": ["unknown"] * len(keys),
            "size_bytes": pa.array([None] * len(keys), pa.int64()),
        },
    )


@pytest.fixture
def disk(tmp_path: object) -> Store:
    store = folder_store(tmp_path)  # type: ignore[arg-type]
    store.put("a", b"12345")
    return store


@pytest.mark.parametrize("keys", [("a", "missing", "a"), ()])
def test_rows_keep_their_order_and_the_columns_are_those_that_decode_and_label_expect(
    disk: Store, keys: tuple[str, ...]
) -> None:
    batch = plan(disk, *keys)
    frame = pl.from_arrow(fetch_images(batch, fetch=FetchSettings(), storage=StorageSettings()))
    assert isinstance(frame, pl.DataFrame)
    assert frame.schema == {
        "image_id": frame.schema["image_id"],
        "uri": frame.schema["uri"],
        "etag": frame.schema["etag"],
        "data": pl.Binary(),
        "failure": pl.String(),
        "failure_detail": pl.String(),
        "attempts": pl.Int32(),
        "fetched_bytes": pl.Int64(),
    }
    assert frame["image_id"].to_list() == list(keys)
    there = [key == "a" for key in keys]
    assert frame["data"].to_list() == [b"12345" if found else None for found in there]
    assert frame["fetched_bytes"].to_list() == [5 if found else 0 for found in there]
    assert frame["failure"].to_list() == [None if found else "not_found" for found in there]
    assert frame["failure_detail"].is_null().to_list() == there


def test_parts_are_bounded_by_bytes_and_hold_every_row_once(disk: Store) -> None:
    """128 MiB in a part; an image of unknown size counts as 1 MiB, a too large one as fetch.max_bytes."""
    sizes_mib = [70, 40, 40, 500, *[None] * 30, 0, 99]
    batch = plan(disk, *(f"missing-{number}" for number in range(len(sizes_mib))))
    sizes = [None if size is None else size * 2**20 for size in sizes_mib]
    batch = batch.set_column(3, "size_bytes", pa.array(sizes, pa.int64()))
    fetch = FetchSettings(max_bytes=100 * 2**20)
    parts = list(fetch_in_parts(batch, fetch=fetch, storage=StorageSettings()))
    assert [part.num_rows for part in parts] == [2, 1, 29, 4]
    assert pa.concat_tables(parts)["image_id"].equals(batch["image_id"])


def test_an_empty_batch_is_one_empty_part(disk: Store) -> None:
    (part,) = fetch_in_parts(plan(disk), fetch=FetchSettings(), storage=StorageSettings())
    assert part.num_rows == 0


def test_a_part_ends_where_images_turn_out_to_be_larger_than_was_guessed(tmp_path: Path) -> None:
    images = [bytes([number]) * 30 * 2**20 for number in range(6)]
    pl.DataFrame({"jpg": images}).write_parquet(tmp_path / "t.parquet", row_group_size=3)
    for number, image in enumerate(images):
        (tmp_path / f"{number}.jpg").write_bytes(image)
    embedded = [embedded_uri(str(tmp_path / "t.parquet"), "jpg", row) for row in range(6)]
    for uris in (embedded, [str(tmp_path / f"{number}.jpg") for number in range(6)]):
        batch = plan(folder_store(tmp_path), *map(str, range(6))).set_column(1, "uri", pa.array(uris))
        parts = list(fetch_in_parts(batch, fetch=FetchSettings(concurrency=16), storage=StorageSettings()))
        assert max(sum(part["fetched_bytes"].to_pylist()) for part in parts) <= 128 * 2**20
        found = pl.concat([pl.DataFrame(part) for part in parts]).sort("image_id")
        assert found["image_id"].to_list() == list(map(str, range(6)))
        assert found["data"].to_list() == images


def test_a_token_that_expires_fails_no_image_and_once_it_is_renewed_all_are_read(
    moto: Store, moto_faults: FaultProxy
) -> None:
    behind = moto.through(moto_faults.url)
    rows = [put(moto, f"{n:03}.jpg") for n in range(100)]
    images = pa.table(
        {"uri": [uri for uri, _ in rows], "etag": [etag for _, etag in rows], "size_bytes": [7] * len(rows)}
    )
    moto_faults.bend = Expires(65)

    def fetch(start: int) -> pa.Table:
        block = images.slice(start, 10)
        return pa.concat_tables(fetch_in_parts(block, fetch=FetchSettings(), storage=behind.storage))

    parts = [fetch(start) for start in range(0, 60, 10)]
    with pytest.raises(
        AccessError, match=r"400 ExpiredToken.*expired or were revoked.*were not read and get no result"
    ):
        fetch(60)
    moto_faults.bend = Bend()
    parts += [fetch(start) for start in range(60, 100, 10)]
    read = pa.concat_tables(parts)
    assert read["failure"].null_count == read.num_rows == 100
    assert read["uri"].to_pylist() == images["uri"].to_pylist()

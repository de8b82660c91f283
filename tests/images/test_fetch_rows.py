"""Images embedded in tables: each row its bytes or its reason, no row group read twice, and time for all of a read."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from laketag.pipeline.config import FetchSettings
from laketag.pipeline.images.fetch_rows import SLOWEST_BYTES_PER_S, WantedRows, row_group_deadline_s
from laketag.pipeline.images.image_locations import embedded_uri
from tests.images.reading import put, put_table, read, read_one, with_settings
from tests.stores.fault_proxy import Fault, FaultProxy
from tests.stores.store import Store, folder_store


@pytest.mark.parametrize("column", ["image.bytes", "jpeg"])
def test_embedded_images_arrive_whole_and_in_any_order(store: Store, column: str) -> None:
    file, etag = put_table(store)
    wanted = [49, 0, 19, 20, 3, 3, 41]
    found = read(store, *[(embedded_uri(file, column, row), etag) for row in wanted])
    assert [image.data for image in found] == [f"image {row} ".encode() * 50 for row in wanted]
    assert {(image.reason, image.attempts) for image in found} == {(None, 1)}


def test_each_failure_of_an_embedded_image(store: Store) -> None:
    file, etag = put_table(store)

    def reason(column: str, row: int, etag: str = etag, **changes: object) -> str | None:
        return read_one(store, embedded_uri(file, column, row), etag, with_settings(**changes)).reason

    assert reason("jpeg", 7) == "empty"
    assert reason("jpeg", 8) == "empty"
    assert reason("jpeg", 50) == "not_found"
    assert reason("image.nothing", 1) == "not_found"
    assert reason("text", 1) == "unsupported"
    assert reason("jpeg", 1, max_bytes=100) == "too_large"
    assert reason("jpeg", 1, etag="0" * 32) == "changed"
    assert reason("jpeg", 1, allowed_roots=(store.url("elsewhere"),)) == "outside_policy"


def test_a_table_that_is_missing_or_broken_fails_for_each_of_its_images(store: Store) -> None:
    broken, etag = put(store, "broken.parquet", b"no table")
    rows = [(f"{broken}#column=jpeg&row={row}", etag) for row in range(2)]
    assert [image.reason for image in read(store, *rows)] == ["undecodable"] * 2
    assert read_one(store, f"{store.url('none.parquet')}#column=jpeg&row=1").reason == "not_found"


def test_a_table_behind_a_faulty_answer_is_tried_again(bucket: Store, faults: FaultProxy) -> None:
    file, etag = put_table(bucket)
    faults.add(Fault("status", path="table.parquet", method="GET", times=1))
    assert read_one(bucket.through(faults.url), embedded_uri(file, "jpeg", 1), etag).reason is None


def test_a_table_that_stalls_times_out_while_the_others_arrive(bucket: Store, faults: FaultProxy) -> None:
    file, etag = put_table(bucket)
    good = put(bucket, "good.jpg")
    fault = faults.add(Fault("stall", path="table.parquet", method="GET"))
    rows = ((embedded_uri(file, "jpeg", 1), etag), good)
    found = read(bucket.through(faults.url), *rows, settings=with_settings(deadline_s=1.0))
    fault.over = True
    assert [image.reason for image in found] == ["timeout", None]


def test_a_row_group_is_read_once_for_all_its_rows(bucket: Store, faults: FaultProxy) -> None:
    file, etag = put_table(bucket, rows=60, row_group_size=20)
    behind = bucket.through(faults.url)
    read(behind, *[(embedded_uri(file, "jpeg", row), etag) for row in range(9, 20)])
    requests_for_many = faults.count("table.parquet")
    faults.requests.clear()
    read(behind, (embedded_uri(file, "jpeg", 9), etag))
    assert requests_for_many == faults.count("table.parquet")


def table_of(images: list[bytes], **options: object) -> bytes:
    """Structs with the images and something large beside them, which cannot be compressed."""
    sink = io.BytesIO()
    structs = [{"bytes": image, "mask": os.urandom(5_000)} for image in images]
    pq.write_table(pa.table({"image": structs}), sink, **options)
    return sink.getvalue()


def test_the_end_of_a_large_row_group_is_reached_though_all_of_it_takes_longer_than_the_deadline(
    bucket: Store, faults: FaultProxy
) -> None:
    images = [os.urandom(2**21) for _ in range(12)]
    file = bucket.put("table.parquet", table_of(images))
    faults.add(Fault("slow", path="table.parquet", method="GET", delay_s=0.35))  # of 4 MiB each
    settings = FetchSettings(deadline_s=1.5)
    image = read_one(bucket.through(faults.url), embedded_uri(file, "image.bytes", 11), settings=settings)
    assert (image.reason, image.detail, image.data) == (None, "", images[11])


def test_the_time_of_a_read_grows_with_the_wanted_column_of_its_row_group() -> None:
    table = table_of([os.urandom(40_000) for _ in range(6)], row_group_size=4)
    footer = pq.read_metadata(io.BytesIO(table))
    first, last = (
        row_group_deadline_s(WantedRows(footer, group, 0, ()), "image.bytes", FetchSettings(deadline_s=60.0))
        - 60.0
        for group in (0, 1)
    )
    assert 4 * 40_000 < first * SLOWEST_BYTES_PER_S < 4 * 40_000 + 1_000
    assert 2 * 40_000 < last * SLOWEST_BYTES_PER_S < 2 * 40_000 + 1_000


def test_rows_that_are_far_larger_than_their_file_do_not_fill_the_memory(tmp_path: Path) -> None:
    zeros = bytes(30_000_000)
    table = pa.table({"jpg": [zeros] * 16 + [b"jpeg"] * 4})
    pq.write_table(table, tmp_path / "t.parquet", compression="zstd")
    command = [sys.executable, "-m", "tests.images.peak_memory", tmp_path / "t.parquet", "20", "20000000"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    grown_bytes, *reasons = done.stdout.split()
    assert reasons == ["too_large"] * 16 + ["None"] * 4
    assert int(grown_bytes) < 10 * len(zeros)  # all rows at once grew by 48 times a row


def test_a_table_whose_pages_are_damaged_fails_for_each_of_its_images(tmp_path: Path) -> None:
    store = folder_store(tmp_path)
    data = bytearray(table_of([os.urandom(1000) for _ in range(4)]))
    data[4:3000] = b"\xff" * 2996
    file, etag = put(store, "table.parquet", bytes(data))
    found = read(store, *[(embedded_uri(file, "image.bytes", row), etag) for row in range(2)])
    assert [image.reason for image in found] == ["undecodable"] * 2

"""A read of embedded images has time for all that it must read."""

import io
import os

import pyarrow as pa
import pyarrow.parquet as pq

from laketag.pipeline.config import FetchSettings
from laketag.pipeline.images.fetch import fetch_all
from laketag.pipeline.images.fetch_rows import SLOWEST_BYTES_PER_S, row_group_deadline_s
from laketag.pipeline.images.locations import embedded_uri
from tests.stores.fault_proxy import Fault, FaultProxy
from tests.stores.store import Store


def written(images: list[bytes], **options: object) -> bytes:
    """A table whose structs hold the images and something large beside them, which cannot be compressed."""
    sink = io.BytesIO()
    structs = [{"bytes": image, "mask": os.urandom(5_000)} for image in images]
    pq.write_table(pa.table({"image": structs}), sink, **options)
    return sink.getvalue()


def test_the_end_of_a_large_row_group_is_reached_though_all_of_it_takes_longer_than_the_deadline(
    bucket: Store, faults: FaultProxy
) -> None:
    images = [os.urandom(2**21) for _ in range(12)]
    file = bucket.put("table.parquet", written(images))
    faults.add(Fault("slow", path="table.parquet", method="GET", delay_s=0.7))  # of 4 MiB each
    settings = FetchSettings(deadline_s=3.0)
    (image,) = fetch_all(
        [embedded_uri(file, "image.bytes", 11)], ["unknown"], settings, bucket.through(faults.url).storage
    )
    assert (image.failure, image.detail, image.data) == (None, None, images[11])


def test_the_time_of_a_read_grows_with_the_wanted_column_of_its_row_group() -> None:
    metadata = pq.read_metadata(io.BytesIO(written([os.urandom(40_000) for _ in range(6)], row_group_size=4)))
    first, last = (
        row_group_deadline_s(metadata, group, "image.bytes", FetchSettings(deadline_s=60.0)) - 60.0
        for group in (0, 1)
    )
    assert 4 * 40_000 < first * SLOWEST_BYTES_PER_S < 4 * 40_000 + 1_000
    assert 2 * 40_000 < last * SLOWEST_BYTES_PER_S < 2 * 40_000 + 1_000

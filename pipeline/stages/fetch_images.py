"""Stage: plan rows in, the same rows with their encoded bytes or a failure out."""

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from laketag.pipeline.config import FetchSettings, StorageSettings
from laketag.pipeline.images.byte_limits import HELD_BYTES
from laketag.pipeline.images.fetch import fetch_all
from laketag.pipeline.images.fetch_results import Fetched
from laketag.pipeline.images.image_failure import ImageFailure
from laketag.pipeline.images.witnesses import Witnesses, note_witnesses
from laketag.pipeline.stages.death_watch import DeathWatch, Stage, work_through
from laketag.pipeline.stages.stage_times import timed

GUESSED_BYTES = 2**20
"""The assumed size of an image whose size is not in the index."""


def fetch_in_parts(
    batch: pa.Table,
    *,
    fetch: FetchSettings,
    storage: StorageSettings,
    witnesses: Witnesses = Witnesses(),  # noqa: B008  # frozen
    watch: DeathWatch | None = None,
) -> Iterator[pa.Table]:
    """As fetch_images, in parts one after the other, so that memory is bounded by bytes and not by the number of images.

    Parts are cut by the sizes in the index, and again where images turn out to be larger. ``witnesses`` tell a
    fault of an image from one of the store. Rows also have ``fetch_s`` (laketag.pipeline.stages.stage_times).
    """
    note_witnesses(witnesses, fetch.allowed_roots)

    def work(rows: pa.Table) -> Iterator[pa.Table]:
        return _fetch_parts(rows, fetch, storage)

    stage = Stage("fetched", work, _give_up, lambda: None)
    yield from timed(work_through(batch, stage, watch), "fetch_s")


def fetch_images(batch: pa.Table, *, fetch: FetchSettings, storage: StorageSettings) -> pa.Table:
    """Each row has ``data`` or a failure, how many ``attempts`` the store took, and no ``size_bytes`` any more."""
    return pa.concat_tables(_fetch_all_of(batch, fetch, storage))


def _fetch_parts(batch: pa.Table, fetch: FetchSettings, storage: StorageSettings) -> Iterator[pa.Table]:
    start = held = 0
    for row, size in enumerate(batch["size_bytes"].to_pylist()):
        expected = GUESSED_BYTES if size is None else min(size, fetch.max_bytes)
        if row > start and held + expected > HELD_BYTES:
            yield from _fetch_all_of(batch.slice(start, row - start), fetch, storage)
            start, held = row, 0
        held += expected
    yield from _fetch_all_of(batch.slice(start), fetch, storage)


def _give_up(batch: pa.Table, failure: ImageFailure) -> pa.Table:
    return _with_images(batch, [Fetched(None, 0, failure)] * batch.num_rows)


def _fetch_all_of(batch: pa.Table, fetch: FetchSettings, storage: StorageSettings) -> Iterator[pa.Table]:
    """Tables with all rows of the batch, as few as the limit of a batch allows."""
    table, rest = _fetch_what_fits(batch, fetch, storage)
    yield table
    while rest.num_rows:
        tried = 2 * table.num_rows  # of those that find no room, some are looked at in vain
        del table  # not held while the next images arrive
        table, left = _fetch_what_fits(rest.slice(0, tried), fetch, storage)
        rest = pa.concat_tables([left, rest.slice(tried)])
        yield table


def _fetch_what_fits(
    batch: pa.Table, fetch: FetchSettings, storage: StorageSettings
) -> tuple[pa.Table, pa.Table]:
    """The rows whose images have a result, and the others as they were."""
    found = fetch_all(batch["uri"].to_pylist(), batch["etag"].to_pylist(), fetch, storage)
    images = [image for image in found if image is not None]
    if len(images) == len(found):
        return _with_images(batch, images), batch.slice(0, 0)
    fits = pa.array([image is not None for image in found])
    return _with_images(batch.filter(fits), images), batch.filter(pc.invert(fits))


def _with_images(batch: pa.Table, images: Sequence[Fetched]) -> pa.Table:
    columns = {
        "data": pa.array([image.data for image in images], pa.large_binary()),
        "failure": pa.array([image.failure and image.failure.reason for image in images], pa.string()),
        "failure_detail": pa.array([image.failure and image.failure.detail for image in images], pa.string()),
        "attempts": pa.array([image.attempts for image in images], pa.int32()),
        "fetched_bytes": pa.array([len(image.data or b"") for image in images], pa.int64()),
    }
    table = batch.drop_columns([name for name in ("size_bytes", *columns) if name in batch.column_names])
    for name, values in columns.items():
        table = table.append_column(name, values)
    return table

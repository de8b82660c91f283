"""What may pass is tried again, what lasts is not, and the deadline is for all tries together."""

import asyncio

import pytest

from laketag.pipeline.config import FetchSettings
from laketag.pipeline.images.retrying import read_with_retries
from tests.images.reading import put, read_beside, read_one, with_settings
from tests.stores.fault_proxy import Fault, FaultProxy
from tests.stores.store import Store


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault("status", status=503), "throttled"),
        (Fault("status", status=429), "throttled"),
        (Fault("status", status=500), "store_error"),
        (Fault("status", status=502), "store_error"),
        (Fault("reset"), "store_error"),
        (Fault("truncate"), "store_error"),
    ],
    ids=lambda value: f"{value.action}-{value.status}" if isinstance(value, Fault) else value,
)
def test_a_passing_fault_is_tried_again_until_the_tries_run_out(
    bucket: Store, faults: FaultProxy, fault: Fault, reason: str
) -> None:
    uri, etag = put(bucket, "x.jpg", b"x" * 1000)
    behind = bucket.through(faults.url)
    fault = faults.add(Fault(fault.action, path="x.jpg", status=fault.status, times=2))
    image = read_one(behind, uri, etag)
    assert (image.reason, image.attempts, faults.count("x.jpg")) == (None, 3, 3)
    fault.times = None
    image = read_beside(behind, uri, etag)
    assert (image.reason, image.attempts, faults.count("x.jpg")) == (reason, 3, 6)


@pytest.mark.parametrize("status", [400, 403, 404, 405, 412, 416])
def test_a_lasting_answer_is_asked_for_once(bucket: Store, faults: FaultProxy, status: int) -> None:
    uri, etag = put(bucket, "x.jpg")
    faults.add(Fault("status", path="x.jpg", status=status, code="Injected"))
    image = read_beside(bucket.through(faults.url), uri, etag)
    assert (image.attempts, faults.count("x.jpg")) == (1, 1)
    expected = {403: "forbidden", 404: "not_found", 412: "changed"}.get(status, "store_error")
    assert image.reason == expected
    assert str(status) in image.detail or expected == "changed"


def test_the_deadline_is_for_all_tries_and_the_stores_answer_is_the_reason(
    bucket: Store, faults: FaultProxy
) -> None:
    uri, etag = put(bucket, "x.jpg")
    faults.add(Fault("status", path="x.jpg", status=503))
    settings = with_settings(deadline_s=0.7, attempts=1000, backoff_s=0.05, max_backoff_s=0.1)
    image = read_beside(bucket.through(faults.url), uri, etag, settings)
    assert image.reason == "throttled"
    assert 1 < image.attempts < 1000


def test_a_process_without_memory_blames_no_image() -> None:
    async def read() -> bytes:
        raise MemoryError

    with pytest.raises(MemoryError):
        asyncio.run(read_with_retries(read, FetchSettings(), deadline_s=1.0))

"""Why an image was not read is what the store answered, not what its key says."""

import pytest

from laketag.pipeline.config import FetchSettings, StorageSettings
from laketag.pipeline.images.fetch import Fetched, fetch_all
from tests.stores.fault_proxy import Fault, FaultProxy
from tests.stores.store import Store

KEYS = ["status/img_404.jpg", "403 Forbidden.jpg", "TimedOut/x.jpg", "status: 412.jpg"]


def fetch(url: str, storage: StorageSettings) -> Fetched:
    return fetch_all([url], ["unknown"], FetchSettings(attempts=2, backoff_s=0.01), storage)[0]


@pytest.mark.parametrize("key", KEYS)
def test_a_store_that_is_gone_is_a_store_error_whatever_the_key_says(moto: Store, key: str) -> None:
    image = fetch(moto.url(key), moto.through("http://127.0.0.1:9").storage)
    assert (image.failure, image.attempts) == ("store_error", 2)


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize(
    ("status", "reason"),
    [(400, "store_error"), (403, "forbidden"), (404, "not_found"), (412, "changed"), (503, "throttled")],
)
def test_an_answer_is_told_from_the_key(
    bucket: Store, faults: FaultProxy, key: str, status: int, reason: str
) -> None:
    faults.add(Fault("status", status=status))
    assert fetch(bucket.url(key), bucket.through(faults.url).storage).failure == reason

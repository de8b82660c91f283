"""Why an image was not read is what the store answered, not what its key says."""

import re
from urllib.parse import quote

import pytest

from laketag.pipeline.errors import StorageError
from tests.images.reading import put, read, read_one, with_settings
from tests.stores.fault_proxy import Fault, FaultProxy
from tests.stores.store import Store

KEYS = ["status/img_404.jpg", "403 Forbidden.jpg", "TimedOut/x.jpg", "status: 412.jpg"]
FEW_TRIES = with_settings(attempts=2)


@pytest.mark.parametrize("key", KEYS)
def test_a_store_that_is_gone_is_no_failure_of_an_image_whatever_the_key_says(moto: Store, key: str) -> None:
    gone = moto.through("http://127.0.0.1:9")
    with pytest.raises(StorageError, match=r"error sending request.*check that the store runs.*1 image\(s\)"):
        read_one(gone, moto.url(key), settings=FEW_TRIES)


@pytest.mark.parametrize(
    ("status", "reason"),
    [(400, "store_error"), (403, "forbidden"), (404, "not_found"), (412, "changed"), (503, "throttled")],
)
def test_an_answer_is_told_from_the_key(bucket: Store, faults: FaultProxy, status: int, reason: str) -> None:
    for key in KEYS:
        faults.add(Fault("status", path=re.escape(quote(key)), status=status))
    behind = bucket.through(faults.url)
    rows = [put(behind, "another-image"), *((bucket.url(key), "unknown") for key in KEYS)]
    found = read(behind, *rows, settings=FEW_TRIES)
    assert [image.reason for image in found] == [None, *[reason] * len(KEYS)]

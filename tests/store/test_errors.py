"""What a store answered counts, not the words and numbers in the key that it was asked for."""

import pytest

from laketag.pipeline.errors import StorageError
from laketag.pipeline.lake.tables import read_table
from laketag.schemas import ImageIndex
from tests.stores.fault_proxy import Fault, FaultProxy
from tests.stores.store import Store

NOWHERE = "http://127.0.0.1:9"
KEYS = ["status/img_404.jpg", "x The specified bucket does not exist"]


@pytest.mark.parametrize("key", KEYS)
def test_a_store_that_is_gone_is_that_whatever_the_key_says(moto: Store, key: str) -> None:
    with pytest.raises(StorageError, match="the store cannot be reached"):
        read_table(moto.url(key), ImageIndex, moto.through(NOWHERE).storage)


def test_an_answer_is_told_from_the_key(bucket: Store, faults: FaultProxy) -> None:
    faults.add(Fault("status", status=403))
    with pytest.raises(StorageError, match=r"denies access \(AccessDenied\)"):
        read_table(bucket.url("status/img_404.jpg"), ImageIndex, bucket.through(faults.url).storage)

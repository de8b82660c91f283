"""Work on our tables goes on when a store comes back, and ends with its fault when it does not."""

import pytest

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import AccessError, StorageError
from laketag.pipeline.store.atomic_write import create_bytes, write_bytes
from laketag.pipeline.store.faults import StoreFault
from laketag.pipeline.store.files import read_json, remove_file
from laketag.pipeline.store.folders import list_files
from laketag.pipeline.store.locations import parse_url
from laketag.pipeline.store.outages import LASTING_S, Outage, through_outages
from tests.stores.fault_proxy import Fault, FaultProxy
from tests.stores.store import Store


def patient(store: Store, seconds: float = 30.0) -> StorageSettings:
    return store.storage.model_copy(update={"max_outage_s": seconds})


def test_every_operation_on_our_tables_outlasts_an_outage(
    moto: Store, moto_faults: FaultProxy, once: None
) -> None:
    behind = moto.through(moto_faults.url)
    storage, url = patient(behind), behind.url("a.json")

    broken = moto_faults.add(Fault("reset", times=6))  # s3fs itself gives up after 5
    write_bytes(url, b"{}", storage)
    assert broken.hits == 6
    refused = moto_faults.add(Fault("status", status=503, times=1, code="ServiceUnavailable"))
    for work in (
        lambda: read_json(url, storage),
        lambda: list_files(behind.root, storage),
        lambda: remove_file(url, storage),
        lambda: create_bytes(url, b"1", storage),
    ):
        before = refused.hits
        refused.times = before + 2
        work()
        assert refused.hits == before + 2


def test_a_token_that_expires_while_a_table_is_written_is_waited_for(
    moto: Store, moto_faults: FaultProxy
) -> None:
    behind = moto.through(moto_faults.url)
    fault = moto_faults.add(Fault("status", status=400, code="ExpiredToken", times=2))
    write_bytes(behind.url("x"), b"1", patient(behind))
    assert (fault.hits, moto.get("x")) == (2, b"1")


def test_what_is_denied_is_not_waited_for(moto: Store, moto_faults: FaultProxy) -> None:
    fault = moto_faults.add(Fault("status", status=403, method="PUT"))
    behind = moto.through(moto_faults.url)
    with pytest.raises(AccessError, match=r"denies access \(AccessDenied\)"):
        write_bytes(behind.url("x"), b"1", patient(behind))
    assert fault.hits == 1


def test_a_store_that_never_answered_is_not_waited_for_by_a_reader() -> None:
    storage = StorageSettings(endpoint_url="http://127.0.0.1:9", anonymous=True)
    tries = []

    def work() -> None:
        tries.append(1)
        raise ConnectionRefusedError(111, "Connection refused")

    with pytest.raises(StorageError, match="s3://never-served/x"):
        through_outages("s3://never-served/x", storage, work)
    assert len(tries) == 1


@pytest.mark.parametrize(
    ("fault", "url", "anonymous", "waits_s"),
    [
        ("away", "s3://b/x", True, 100),
        ("clock", "s3://b/x", True, 100),
        ("credentials", "s3://b/x", True, LASTING_S),
        ("credentials", "gs://b/x", False, 100),
        ("region", "s3://b/x", True, LASTING_S),
        ("region", "gs://b/x", False, LASTING_S),
        ("bucket", "az://b/x", False, LASTING_S),
    ],
)
def test_what_no_waiting_ends_is_given_up_early(
    fault: str, url: str, anonymous: bool, waits_s: float
) -> None:
    now_s = 0.0
    storage = StorageSettings(max_outage_s=100, anonymous=anonymous, endpoint_url="http://127.0.0.1:9")
    outage = Outage(storage, lambda: now_s)
    waits = []
    while (
        wait_s := outage.next_wait_s(parse_url(url), StoreFault(fault), "sentence")  # type: ignore[arg-type]
    ) is not None:
        waits.append(wait_s)
        now_s += wait_s
    assert sum(waits) == pytest.approx(waits_s)
    assert max(waits) <= 10
    assert len(set(waits)) > 2, "waits have jitter"


def test_a_store_that_never_served_an_image_is_given_up_early() -> None:
    fault, outage = (
        StoreFault("away"),
        Outage(StorageSettings(max_outage_s=100), iter((0.0, LASTING_S)).__next__),
    )
    assert outage.next_wait_s(parse_url("s3://b/x"), fault, "sentence", has_served=False) is not None
    assert outage.next_wait_s(parse_url("s3://b/x"), fault, "sentence", has_served=False) is None

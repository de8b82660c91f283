"""Many images are read at once; each gives its bytes or its reason, on every store, and none disturbs another."""

import asyncio
import os
import threading

import pytest

from tests.images.reading import put, read, read_beside, read_one, with_settings
from tests.stores.fault_proxy import Fault, FaultProxy
from tests.stores.store import Store


def test_every_object_arrives_whole_and_in_order(store: Store) -> None:
    rows = [put(store, f"d{n % 3}/{n}.jpg", os.urandom(100 + n)) for n in range(40)]
    found = read(store, *rows)
    assert [image.data for image in found] == [
        store.get(uri.removeprefix(store.root + "/")) for uri, _ in rows
    ]
    assert {(image.reason, image.attempts) for image in found} == {(None, 1)}


@pytest.mark.parametrize("key", ["a b+c.jpg", "ü€日本.jpg", "p%20q#1?.jpg", "x=1/[y].jpg", "back\\slash.jpg"])
def test_unusual_names_are_read(store: Store, key: str) -> None:
    assert read_one(store, *put(store, key, key.encode())).data == key.encode()


def test_no_images_give_nothing(store: Store) -> None:
    assert read(store) == []


def test_it_runs_in_any_thread_and_under_a_running_loop(store: Store) -> None:
    rows = [put(store, f"{n}.jpg") for n in range(4)]
    found: list[object] = []
    threads = [
        threading.Thread(target=lambda: found.extend(image.data for image in read(store, *rows)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    async def inside() -> None:
        found.extend(image.data for image in read(store, *rows))

    asyncio.run(inside())
    assert found == [b"picture"] * 16


def test_a_missing_object_is_not_found_at_the_first_try(store: Store) -> None:
    image = read_beside(store, store.url("missing.jpg"), "0" * 32)
    assert (image.reason, image.attempts, image.data) == ("not_found", 1, None)


def test_another_version_is_changed(store: Store) -> None:
    uri, etag = put(store, "x.jpg", b"old")
    store.put("x.jpg", b"newer")
    image = read_one(store, uri, etag)
    assert (image.reason, image.attempts, image.data) == ("changed", 1, None)


def test_zero_bytes_are_empty(store: Store) -> None:
    assert read_one(store, *put(store, "zero.jpg", b"")).reason == "empty"


def test_over_the_limit_is_too_large_and_says_by_how_much(store: Store) -> None:
    rows = [put(store, "at.jpg", b"x" * 1000), put(store, "over.jpg", b"x" * 1001)]
    at, over = read(store, *rows, settings=with_settings(max_bytes=1000))
    assert (at.reason, over.reason) == (None, "too_large")
    assert over.detail == "1001 bytes, over fetch.max_bytes = 1000"


def test_one_bad_image_leaves_the_others_alone(store: Store) -> None:
    good = put(store, "good.jpg")
    missing = (store.url("missing.jpg"), "0" * 32)
    assert [image.reason for image in read(store, missing, good, missing, good)] == ["not_found", None] * 2


@pytest.mark.parametrize("action", ["stall", "hold"])
def test_an_object_that_never_arrives_times_out_while_the_others_arrive(
    bucket: Store, faults: FaultProxy, action: str
) -> None:
    rows = [put(bucket, f"{n}.jpg", b"x" * 1000) for n in range(8)]
    fault = faults.add(Fault(action, path="3.jpg"))  # type: ignore[arg-type]  # one of the two above
    found = read(bucket.through(faults.url), *rows, settings=with_settings(deadline_s=1.0))
    fault.over = True
    assert [image.reason for image in found] == [None] * 3 + ["timeout"] + [None] * 4


def test_no_detail_holds_a_secret(bucket: Store, faults: FaultProxy) -> None:
    uri, etag = put(bucket, "x.jpg")
    secrets = [bucket.env[name] for name in ("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID")]
    for fault in (Fault("status", status=403), Fault("status", status=500), Fault("reset")):
        faults.faults.clear()
        faults.add(Fault(fault.action, path="x.jpg", status=fault.status))
        detail = read_beside(bucket.through(faults.url), uri, etag).detail
        assert not any(secret in detail for secret in (*secrets, "Signature"))
        assert 0 < len(detail) < 400

"""Each failure of reading has the input that causes exactly it, on every store where it can happen."""

import asyncio
import os
import re
import threading
import time
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet
import pytest

from laketag.pipeline.config import FetchSettings, StorageSettings
from laketag.pipeline.errors import StorageError
from laketag.pipeline.images.fetch_files import file_etag
from laketag.pipeline.stages.fetch_images import PART_BYTES, fetch_images, fetch_in_parts
from laketag.pipeline.store.schemes import open_filesystem
from tests.stores.ceph_gateway import User
from tests.stores.fault_proxy import Fault, FaultProxy
from tests.stores.store import OWNER, STRANGER, Store

FAST = FetchSettings(attempts=3, backoff_s=0.01, max_backoff_s=0.05, deadline_s=10.0)


def etag_of(store: Store, url: str) -> str:
    filesystem, path = open_filesystem(url, store.storage)
    if store.name == "folder":
        return file_etag(Path(path).stat())
    return str(filesystem.info(path)["ETag"]).strip('"')


def read(store: Store, *rows: tuple[str, str], settings: FetchSettings = FAST) -> list[dict[str, object]]:
    """The stage's rows for (uri, etag) pairs."""
    batch = pa.table(
        {
            "image_id": [f"id{number}" for number in range(len(rows))],
            "uri": [uri for uri, _ in rows],
            "etag": [etag for _, etag in rows],
            "size_bytes": pa.array([None] * len(rows), pa.int64()),
        }
    )
    table = fetch_images(batch, fetch=settings, storage=store.storage)
    assert table["image_id"].to_pylist() == batch["image_id"].to_pylist()
    assert table.schema.field("data").type == pa.large_binary()
    found: list[dict[str, object]] = table.to_pylist()
    return found


def read_one(store: Store, uri: str, etag: str, settings: FetchSettings = FAST) -> dict[str, object]:
    return read(store, (uri, etag), settings=settings)[0]


def put(store: Store, key: str, data: bytes = b"picture") -> tuple[str, str]:
    url = store.put(key, data)
    return url, etag_of(store, url)


def with_settings(**changes: object) -> FetchSettings:
    return FAST.model_copy(update=changes)


# --- what can be read ---------------------------------------------------------------------------------------------


def test_every_object_arrives_whole_and_in_order(store: Store) -> None:
    rows = [put(store, f"d{n % 3}/{n}.jpg", os.urandom(100 + n)) for n in range(40)]
    found = read(store, *rows)
    assert [row["data"] for row in found] == [
        store.get(uri.removeprefix(store.root + "/")) for uri, _ in rows
    ]
    assert {(row["failure"], row["attempts"]) for row in found} == {(None, 1)}
    assert "size_bytes" not in found[0]


@pytest.mark.parametrize("key", ["a b+c.jpg", "ü€日本.jpg", "p%20q#1?.jpg", "x=1/[y].jpg", "back\\slash.jpg"])
def test_unusual_names_are_read(store: Store, key: str) -> None:
    assert read_one(store, *put(store, key, key.encode()))["data"] == key.encode()


@pytest.mark.parametrize("key", ["a//b.jpg", "a/../b.jpg", "a/./b.jpg", "/lead.jpg"])
def test_keys_that_are_no_paths_are_read(bucket: Store, key: str) -> None:
    bucket.put("b.jpg", b"not this one")
    bucket.put("a/b.jpg", b"not this one")
    row = read_one(bucket, *put(bucket, key, key.encode()))
    assert row["data"] == key.encode(), row


def test_an_empty_batch_stays_empty(store: Store) -> None:
    assert read(store) == []


def test_it_runs_in_any_thread_and_under_a_running_loop(store: Store) -> None:
    rows = [put(store, f"{n}.jpg") for n in range(4)]
    found: list[object] = []
    threads = [
        threading.Thread(target=lambda: found.extend(r["data"] for r in read(store, *rows))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    async def inside() -> list[dict[str, object]]:
        return read(store, *rows)

    found += [row["data"] for row in asyncio.run(inside())]
    assert found == [b"picture"] * 16


# --- each failure, on every store ---------------------------------------------------------------------------------


def test_a_missing_object_is_not_found_at_the_first_try(store: Store) -> None:
    row = read_one(store, store.url("missing.jpg"), "0" * 32)
    assert (row["failure"], row["attempts"], row["data"]) == ("not_found", 1, None)


def test_a_missing_bucket_is_not_found(bucket: Store) -> None:
    row = read_one(bucket, "s3://no-such-bucket-here/x.jpg", "0" * 32)
    assert (row["failure"], row["attempts"]) == ("not_found", 1)


def test_another_version_is_changed(store: Store) -> None:
    uri, etag = put(store, "x.jpg", b"old")
    time.sleep(0.01)
    store.put("x.jpg", b"newer")
    row = read_one(store, uri, etag)
    assert (row["failure"], row["attempts"], row["data"]) == ("changed", 1, None)


def test_zero_bytes_are_empty(store: Store) -> None:
    assert read_one(store, *put(store, "zero.jpg", b""))["failure"] == "empty"


def test_over_the_limit_is_too_large_and_says_by_how_much(store: Store) -> None:
    rows = [put(store, "at.jpg", b"x" * 1000), put(store, "over.jpg", b"x" * 1001)]
    at, over = read(store, *rows, settings=with_settings(max_bytes=1000))
    assert (at["failure"], over["failure"]) == (None, "too_large")
    assert "1001" in str(over["failure_detail"])
    assert "1000" in str(over["failure_detail"])


def test_outside_the_allowed_roots_is_never_asked_for(store: Store) -> None:
    settings = with_settings(allowed_roots=(store.url("in"),))
    rows = [put(store, "in/x.jpg"), put(store, "inside/x.jpg"), put(store, "out.jpg")]
    inside, sibling, outside = read(store, *rows, settings=settings)
    assert (inside["failure"], inside["attempts"]) == (None, 1)
    for row in (sibling, outside):
        assert (row["failure"], row["attempts"]) == ("outside_policy", 0)
        assert "allowed_roots" in str(row["failure_detail"])


@pytest.mark.parametrize(
    "uri", ["http://127.0.0.1:1/x.jpg", "gs://bucket/x.jpg", "relative/x.jpg", "s3://bucket"]
)
def test_other_schemes_and_half_uris_are_outside_policy(store: Store, uri: str) -> None:
    row = read_one(store, uri, "0")
    assert (row["failure"], row["attempts"]) == ("outside_policy", 0)


def test_a_key_with_dots_cannot_climb_out_of_an_allowed_root(bucket: Store) -> None:
    settings = with_settings(allowed_roots=(bucket.url("in"),))
    assert read_one(bucket, bucket.url("in/../out.jpg"), "0", settings)["failure"] == "outside_policy"


def test_one_bad_row_leaves_the_others_alone(store: Store) -> None:
    good = put(store, "good.jpg")
    missing = (store.url("missing.jpg"), "0" * 32)
    assert [row["failure"] for row in read(store, missing, good, missing, good)] == ["not_found", None] * 2


# --- local disks --------------------------------------------------------------------------------------------------


def test_links_out_of_an_allowed_root_are_outside_policy(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    outside.mkdir()
    (outside / "secret.jpg").write_bytes(b"secret")
    (inside / "file.jpg").symlink_to(outside / "secret.jpg")
    (inside / "folder").symlink_to(outside)
    store = Store("folder", str(tmp_path))
    settings = with_settings(allowed_roots=(str(inside),))
    for uri in (inside / "file.jpg", inside / "folder/secret.jpg", inside / "../out/secret.jpg"):
        row = read_one(store, str(uri), file_etag((outside / "secret.jpg").stat()), settings)
        assert (row["failure"], row["attempts"]) == ("outside_policy", 0), uri
    row = read_one(store, str(inside / "file.jpg"), file_etag((outside / "secret.jpg").stat()))
    assert row["data"] == b"secret", "without allowed roots a link is followed"


def test_a_link_to_an_allowed_root_is_an_allowed_root(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    picture = tmp_path / "real/x.jpg"
    picture.write_bytes(b"picture")
    settings = with_settings(allowed_roots=(str(tmp_path / "link"),))
    row = read_one(Store("folder", str(tmp_path)), str(picture), file_etag(picture.stat()), settings)
    assert row["failure"] is None


def test_a_pipe_named_like_an_image_does_not_hang_the_batch(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    row = read_one(Store("folder", str(tmp_path)), str(tmp_path / "pipe.jpg"), "unknown")
    assert row["failure"] == "unsupported"


def test_a_folder_or_a_path_through_a_file_is_no_image(tmp_path: Path) -> None:
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "file").write_bytes(b"x")
    store = Store("folder", str(tmp_path))
    assert read_one(store, str(tmp_path / "folder.jpg"), "unknown")["failure"] == "not_found"
    assert read_one(store, str(tmp_path / "file/x.jpg"), "unknown")["failure"] == "not_found"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_rights_is_forbidden(tmp_path: Path) -> None:
    picture = tmp_path / "x.jpg"
    picture.write_bytes(b"x")
    picture.chmod(0)
    assert read_one(Store("folder", str(tmp_path)), str(picture), "unknown")["failure"] == "forbidden"


# --- who may read -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "user",
    [
        STRANGER,
        User("wrong secret", OWNER.access_key, "not-the-secret"),
        User("wrong key", "no-such-key", "x" * 20),
    ],
    ids=lambda user: user.name,
)
@pytest.mark.ceph
def test_wrong_credentials_are_forbidden_at_the_first_try(
    ceph: Store, monkeypatch: pytest.MonkeyPatch, user: User
) -> None:
    uri, etag = put(ceph, "x.jpg")
    assert read_one(ceph, uri, etag)["failure"] is None
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", user.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", user.secret_key)
    row = read_one(ceph, uri, etag)
    assert (row["failure"], row["attempts"]) == ("forbidden", 1)
    assert user.secret_key not in str(row["failure_detail"])
    assert user.access_key not in str(row["failure_detail"])


def test_a_private_object_is_forbidden_to_the_anonymous(bucket: Store) -> None:
    uri, etag = put(bucket, "x.jpg")
    storage = bucket.storage.model_copy(update={"anonymous": True})
    assert read_one(Store("anonymous", bucket.root, storage), uri, etag)["failure"] == "forbidden"


@pytest.mark.parametrize("status", [400, 403])
@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidToken"])
def test_expired_credentials_are_forbidden(bucket: Store, faults: FaultProxy, status: int, code: str) -> None:
    uri, etag = put(bucket, "x.jpg")
    faults.add(Fault("status", path="x.jpg", status=status, code=code))
    row = read_one(bucket.through(faults.url), uri, etag)
    assert (row["failure"], row["attempts"]) == ("forbidden", 1)


def test_a_run_without_any_credentials_stops_and_says_so(
    bucket: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri, etag = put(bucket, "x.jpg")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(StorageError, match=r"no usable credentials.*AWS_ACCESS_KEY_ID"):
        read_one(bucket, uri, etag)


def test_a_profile_of_the_aws_files_is_honoured(
    ceph: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    uri, etag = put(ceph, "x.jpg")
    files = tmp_path / "config", tmp_path / "credentials"
    files[0].write_text(f"[profile owner]\nendpoint_url = {ceph.storage.endpoint_url}\nregion = us-east-1\n")
    files[1].write_text(
        f"[owner]\naws_access_key_id = {OWNER.access_key}\naws_secret_access_key = {OWNER.secret_key}\n"
        f"[stranger]\naws_access_key_id = {STRANGER.access_key}\naws_secret_access_key = {STRANGER.secret_key}\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(files[0]))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(files[1]))
    for variable in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(variable)
    owner = Store("profile", ceph.root, StorageSettings(profile="owner"))
    assert read_one(owner, uri, etag)["data"] == b"picture"
    stranger = StorageSettings(profile="stranger", endpoint_url=ceph.storage.endpoint_url)
    assert read_one(Store("profile", ceph.root, stranger), uri, etag)["failure"] == "forbidden"


# --- answers that may pass ----------------------------------------------------------------------------------------


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
    row = read_one(behind, uri, etag)
    assert (row["failure"], row["attempts"], faults.count("x.jpg")) == (None, 3, 3)
    fault.times = None
    row = read_one(behind, uri, etag)
    assert (row["failure"], row["attempts"], faults.count("x.jpg")) == (reason, 3, 6)


@pytest.mark.parametrize("status", [400, 403, 404, 405, 412, 416])
def test_a_lasting_answer_is_asked_for_once(bucket: Store, faults: FaultProxy, status: int) -> None:
    uri, etag = put(bucket, "x.jpg")
    faults.add(Fault("status", path="x.jpg", status=status, code="Injected"))
    row = read_one(bucket.through(faults.url), uri, etag)
    assert (row["attempts"], faults.count("x.jpg")) == (1, 1)
    expected = {403: "forbidden", 404: "not_found", 412: "changed"}.get(status, "store_error")
    assert row["failure"] == expected
    assert str(status) in str(row["failure_detail"]) or expected == "changed"


@pytest.mark.parametrize("action", ["stall", "slow"])
def test_a_stalled_object_times_out_while_the_others_arrive(
    bucket: Store, faults: FaultProxy, action: str
) -> None:
    rows = [put(bucket, f"{n}.jpg", b"x" * 1000) for n in range(8)]
    faults.add(Fault(action, path="3.jpg", delay_s=30))  # type: ignore[arg-type]  # one of the two above
    started = time.monotonic()
    found = read(bucket.through(faults.url), *rows, settings=with_settings(deadline_s=1.0))
    assert time.monotonic() - started < 4
    assert [row["failure"] for row in found] == [None] * 3 + ["timeout"] + [None] * 4


def test_the_deadline_covers_all_tries(bucket: Store, faults: FaultProxy) -> None:
    uri, etag = put(bucket, "x.jpg")
    faults.add(Fault("status", path="x.jpg", status=503))
    settings = with_settings(deadline_s=0.7, attempts=100, backoff_s=0.05, max_backoff_s=0.1)
    started = time.monotonic()
    row = read_one(bucket.through(faults.url), uri, etag, settings)
    assert time.monotonic() - started < 3
    assert row["failure"] == "throttled"
    assert 1 < int(str(row["attempts"])) < 100


def test_an_endpoint_that_is_gone_is_a_store_error(moto: Store) -> None:
    row = read_one(moto.through("http://127.0.0.1:9"), moto.url("x.jpg"), "0" * 32)
    assert (row["failure"], row["attempts"]) == ("store_error", 3)


def test_too_large_is_refused_before_the_body(bucket: Store, faults: FaultProxy) -> None:
    uri, etag = put(bucket, "x.jpg", b"x" * 5000)
    faults.add(Fault("stall", path="x.jpg", sent_bytes=10, delay_s=30))  # the body never comes
    row = read_one(bucket.through(faults.url), uri, etag, with_settings(max_bytes=4000, deadline_s=5.0))
    assert (row["failure"], row["attempts"]) == ("too_large", 1)


# --- images in tables ---------------------------------------------------------------------------------------------


def put_table(
    store: Store, key: str = "table.parquet", rows: int = 50, row_group_size: int = 20
) -> tuple[str, str]:
    images = [{"bytes": f"image {n} ".encode() * 50, "path": f"{n}.jpg"} for n in range(rows)]
    images[7] = {"bytes": b"", "path": "7.jpg"}
    images[8] = {"bytes": None, "path": "8.jpg"}  # type: ignore[dict-item]  # a row without bytes
    sink = pa.BufferOutputStream()
    table = pa.table({"image": images, "jpeg": [image["bytes"] for image in images], "text": ["t"] * rows})
    pa.parquet.write_table(table, sink, row_group_size=row_group_size)
    return put(store, key, sink.getvalue().to_pybytes())


@pytest.mark.parametrize("column", ["image.bytes", "jpeg"])
def test_embedded_images_arrive_whole_and_in_any_order(store: Store, column: str) -> None:
    file, etag = put_table(store)
    wanted = [49, 0, 19, 20, 3, 3, 41]
    found = read(store, *[(f"{file}#column={column}&row={row}", etag) for row in wanted])
    assert [row["data"] for row in found] == [f"image {row} ".encode() * 50 for row in wanted]
    assert {(row["failure"], row["attempts"]) for row in found} == {(None, 1)}


def test_each_failure_of_an_embedded_image(store: Store) -> None:
    file, etag = put_table(store)

    def failure(uri: str, etag: str = etag, **changes: object) -> object:
        return read_one(store, uri, etag, with_settings(**changes))["failure"]

    assert failure(f"{file}#column=jpeg&row=7") == "empty"
    assert failure(f"{file}#column=jpeg&row=8") == "empty"
    assert failure(f"{file}#column=jpeg&row=50") == "not_found"
    assert failure(f"{file}#column=image.nothing&row=1") == "not_found"
    assert failure(f"{file}#column=text&row=1") == "unsupported"
    assert failure(f"{file}#column=jpeg&row=1", max_bytes=100) == "too_large"
    assert failure(f"{file}#column=jpeg&row=1", etag="0" * 32) == "changed"
    assert failure(f"{store.url('none.parquet')}#column=jpeg&row=1") == "not_found"
    assert failure(f"{file}#column=jpeg&row=1", allowed_roots=(store.url("elsewhere"),)) == "outside_policy"
    broken, broken_etag = put(store, "broken.parquet", b"no table")
    assert failure(f"{broken}#column=jpeg&row=1", etag=broken_etag) == "undecodable"


def test_a_table_behind_a_faulty_answer_is_tried_again(bucket: Store, faults: FaultProxy) -> None:
    file, etag = put_table(bucket)
    faults.add(Fault("status", path="table.parquet", method="GET", times=1))
    row = read_one(bucket.through(faults.url), f"{file}#column=jpeg&row=1", etag)
    assert row["failure"] is None


def test_a_table_that_stalls_times_out(bucket: Store, faults: FaultProxy) -> None:
    file, etag = put_table(bucket)
    good = put(bucket, "good.jpg")
    faults.add(Fault("stall", path="table.parquet", method="GET", delay_s=30))
    started = time.monotonic()
    found = read(
        bucket.through(faults.url),
        (f"{file}#column=jpeg&row=1", etag),
        good,
        settings=with_settings(deadline_s=1.0),
    )
    assert time.monotonic() - started < 5
    assert [row["failure"] for row in found] == ["timeout", None]


def test_a_row_group_is_read_once_for_all_its_rows(bucket: Store, faults: FaultProxy) -> None:
    file, etag = put_table(bucket, rows=60, row_group_size=20)
    behind = bucket.through(faults.url)
    read(behind, *[(f"{file}#column=jpeg&row={row}", etag) for row in range(9, 20)])
    few = faults.count("table.parquet")
    faults.requests.clear()
    read(behind, (f"{file}#column=jpeg&row=9", etag))
    assert few == faults.count("table.parquet")


def test_no_detail_holds_the_secret(bucket: Store, faults: FaultProxy) -> None:
    uri, etag = put(bucket, "x.jpg")
    for fault in (Fault("status", status=403), Fault("status", status=500), Fault("reset")):
        faults.faults.clear()
        faults.add(Fault(fault.action, path="x.jpg", status=fault.status))
        detail = str(read_one(bucket.through(faults.url), uri, etag)["failure_detail"])
        assert not re.search(f"{OWNER.secret_key}|{OWNER.access_key}|Signature", detail)
        assert len(detail) < 400


def test_polars_sees_the_stage_as_the_contract_says(store: Store) -> None:
    batch = pa.table({"image_id": ["a"], "uri": [store.url("x")], "etag": ["0"], "size_bytes": [1]})
    frame = pl.from_arrow(fetch_images(batch, fetch=FAST, storage=store.storage))
    assert isinstance(frame, pl.DataFrame)
    assert frame.schema["attempts"] == pl.Int32
    assert {"image_id", "uri", "etag", "data", "failure", "failure_detail", "attempts"} <= set(frame.columns)


def test_parts_are_bounded_by_bytes_and_hold_every_row_once() -> None:
    """By the sizes in the index: an image larger than the limit counts as the limit, one without a size as 1 MiB."""
    mib, most = 2**20, PART_BYTES
    sizes = [most - mib, mib, 1, 5 * most, None, most - mib, None, 0, most]
    plan = pa.table(
        {
            "image_id": [str(number) for number in range(len(sizes))],
            "uri": [f"/nowhere/{number}" for number in range(len(sizes))],
            "etag": ["x"] * len(sizes),
            "size_bytes": pa.array(sizes, pa.int64()),
        }
    )
    parts = list(fetch_in_parts(plan, fetch=FetchSettings(max_bytes=most), storage=StorageSettings()))
    ids = [part["image_id"].to_pylist() for part in parts]
    assert ids == [["0", "1"], ["2"], ["3"], ["4", "5"], ["6", "7"], ["8"]]
    assert all(part["failure"].to_pylist() == ["not_found"] * part.num_rows for part in parts)


def test_an_empty_batch_is_one_empty_part() -> None:
    plan = pa.table({name: pa.array([], pa.string()) for name in ("image_id", "uri", "etag")})
    plan = plan.append_column("size_bytes", pa.array([], pa.int64()))
    (part,) = fetch_in_parts(plan, fetch=FetchSettings(), storage=StorageSettings())
    assert part.num_rows == 0

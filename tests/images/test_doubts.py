"""What is wrong with a token, a clock, a region or a whole store is a fault of the run, and the failure of no image."""

import pytest

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import AccessError, StorageError
from laketag.pipeline.images.witnesses import Witnesses, note_witnesses
from tests.images.reading import put, read, read_one
from tests.stores.bends import Bend
from tests.stores.fault_proxy import Fault, FaultProxy
from tests.stores.store import Store

CODES = {
    "ExpiredToken": "have expired or were revoked",
    "InvalidToken": "have expired or were revoked",
    "TokenRefreshRequired": "have expired or were revoked",
    "RequestTimeTooSkewed": "set the clock",
    "SignatureDoesNotMatch": "its secret is wrong",
    "InvalidAccessKeyId": "its secret is wrong",
    "AccountProblem": "the account may not use the store",
    "AuthorizationHeaderMalformed": "set storage.region",
    "PermanentRedirect": "set storage.region",
}


@pytest.mark.parametrize(
    ("code", "key"), [*((code, "x.jpg") for code in CODES), ("ExpiredToken", "a//x.jpg")]
)
def test_what_is_wrong_with_the_access_ends_the_run_and_names_the_cause(
    moto: Store, moto_faults: FaultProxy, code: str, key: str
) -> None:
    behind = moto.through(moto_faults.url)
    read_one(behind, *put(moto, "another-image"))
    uri, etag = put(moto, key)
    status = 301 if code == "PermanentRedirect" else 400 if "Token" in code or "Header" in code else 403
    fault = moto_faults.add(Fault("status", path="x.jpg", status=status, code=code))
    assert read_one(behind, uri, etag).attempts == 2, (
        "another image can be read, so it is this one's own failure"
    )
    fault.path = ""
    with pytest.raises(StorageError, match=CODES.get(code)) as raised:
        read_one(behind, uri, etag)
    assert "1 image(s), such as s3://" in str(raised.value)


def test_an_object_is_forbidden_only_while_others_of_its_bucket_are_read(
    moto: Store, moto_faults: FaultProxy
) -> None:
    behind = moto.through(moto_faults.url)
    rows = [put(moto, f"{n}.jpg") for n in range(4)]
    read_one(behind, *put(moto, "another-image"))
    denied = moto_faults.add(Fault("status", path="[23].jpg", status=403))
    assert [image.reason for image in read(behind, *rows)] == [None, None, "forbidden", "forbidden"]
    assert [image.reason for image in read(behind, *rows[2:])] == ["forbidden"] * 2, (
        "another image is read to tell"
    )
    denied.path = ".jpg|another-image"
    with pytest.raises(
        AccessError, match=r"no other image there can be read; check the credentials.*2 image"
    ):
        read(behind, *rows[2:])


def test_images_that_others_read_tell_as_much(moto: Store, moto_faults: FaultProxy) -> None:
    behind = moto.through(moto_faults.url)
    (uri, etag), (other, _) = put(moto, "denied.jpg"), put(moto, "other.jpg")
    moto_faults.add(Fault("status", path="denied.jpg", status=403))
    note_witnesses(Witnesses(known=(other, "no URI\0")), ())
    assert read_one(behind, uri, etag).reason == "forbidden"


@pytest.mark.parametrize(
    ("status", "code", "reason"), [(403, "AccessDenied", "forbidden"), (404, "NoSuchBucket", "not_found")]
)
def test_a_bucket_that_is_denied_or_missing_fails_beside_others_unless_it_was_readable(
    moto: Store, moto_faults: FaultProxy, status: int, code: str, reason: str
) -> None:
    behind = moto.through(moto_faults.url)
    good, (bad, etag) = put(moto, "good.jpg"), (f"s3://bucket-{status}/x.jpg", "unknown")
    moto_faults.add(Fault("status", path="/bucket-", status=status, code=code))
    assert [image.reason for image in read(behind, good, (bad, etag))] == [None, reason]
    note_witnesses(Witnesses(known=(f"s3://bucket-{status}/y.jpg",)), ())
    with pytest.raises(StorageError, match=r"s3://bucket-\d+: the store answered .*no other image there"):
        read(behind, good, (bad, etag))


def test_files_are_missing_only_where_their_disk_is_mounted(tmp_path) -> None:
    disk = Store("folder", (tmp_path / "disk").as_posix(), StorageSettings(max_outage_s=0.0))
    gone = [(disk.url(f"a/{n}.jpg"), "unknown") for n in range(3)]
    for folder in (tmp_path, tmp_path / "disk"):  # not mounted; then its mount point is there
        folder.mkdir(exist_ok=True)
        with pytest.raises(
            StorageError, match=r"disk/a: No such file .*mount it, or index again.* 3 image\(s\)"
        ):
            read(disk, *gone)
    beside = put(disk, "b/x.jpg")
    assert [image.reason for image in read(disk, *gone, beside)] == ["not_found"] * 3 + [None]
    put(disk, "a/x.jpg")
    assert [image.reason for image in read(disk, *gone)] == ["not_found"] * 3


@pytest.mark.parametrize("fault", [Fault("status", status=503), Fault("reset")], ids=["503", "reset"])
def test_a_store_that_is_away_is_waited_for(moto: Store, moto_faults: FaultProxy, fault: Fault) -> None:
    behind = moto.through(moto_faults.url)
    storage = behind.storage.model_copy(update={"max_outage_s": 20.0})
    rows = [put(moto, f"{n}.jpg") for n in range(3)]
    moto_faults.add(Fault(fault.action, status=fault.status, times=20))  # more than all tries of one round
    images = read(Store("waits", moto.root, storage), *rows)
    assert [image.reason for image in images] == [None] * 3
    assert max(image.attempts for image in images) > 3


def test_images_are_read_once_a_token_is_renewed_in_the_file_it_came_from(
    moto: Store, moto_faults: FaultProxy, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    def write(token: str) -> None:
        (tmp_path / "credentials").write_text(
            f"[default]\naws_access_key_id = k\naws_secret_access_key = s\naws_session_token = {token}\n"
        )

    class Expires(Bend):
        def refusal(self, _, headers):
            expired = headers.get("x-amz-security-token") == "old"
            if expired:
                refused.set()
            return (400, "ExpiredToken", []) if expired else None

    refused = threading.Event()
    rows = [put(moto, f"{n}.jpg") for n in range(3)]
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    write("old")
    moto_faults.bend = Expires()
    renewal = threading.Thread(target=lambda: (refused.wait(20), write("new")))
    renewal.start()
    storage = moto.through(moto_faults.url).storage.model_copy(update={"max_outage_s": 30.0})
    assert [image.reason for image in read(Store("renewed", moto.root, storage), *rows)] == [None] * 3
    renewal.join()

"""What a store refuses is named with its URL and the fix, judged by its answer and not by the words in a key."""

import ftplib
import os
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import StorageError
from laketag.pipeline.lake.tables import read_table, write_table
from laketag.pipeline.store.errors import store_errors
from laketag.schemas import ImageIndex
from tests.stores.ceph_gateway import User
from tests.stores.fault_proxy import Fault, FaultProxy
from tests.stores.store import OWNER, STRANGER, Store

NOWHERE = "http://127.0.0.1:9"
KEYS = ["status/img_404.jpg", "x The specified bucket does not exist"]
FRAME = pl.DataFrame(
    {
        "image_id": ["a"],
        "uri": ["/a"],
        "etag": ["1"],
        "size_bytes": [1],
        "true_class": [None],
        "carried": [None],
    },
    schema_overrides={"true_class": pl.String, "carried": pl.Boolean},
)

Use = Callable[[str, StorageSettings], object]
USES: dict[str, Use] = {
    "read": lambda root, storage: read_table(f"{root}/t.parquet", ImageIndex, storage),
    "write": lambda root, storage: write_table(FRAME, f"{root}/t.parquet", ImageIndex, storage),
}


@pytest.mark.parametrize("use", USES)
def test_a_missing_bucket_is_named(bucket: Store, use: str) -> None:
    with pytest.raises(StorageError, match=r"s3://no-bucket/x.*there is no bucket s3://no-bucket; create it"):
        USES[use]("s3://no-bucket/x", bucket.storage)


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize(
    "user", [STRANGER, User("wrong", OWNER.access_key, "wrong-secret")], ids=lambda user: user.name
)
def test_denied_access_names_the_url_and_no_secret(
    ceph: Store, monkeypatch: pytest.MonkeyPatch, use: str, user: User
) -> None:
    write_table(FRAME, ceph.url("t.parquet"), ImageIndex, ceph.storage)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", user.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", user.secret_key)
    with pytest.raises(
        StorageError,
        match=r"(denies access|SignatureDoesNotMatch).*check ",
    ) as raised:
        USES[use](ceph.root, ceph.storage)
    assert ceph.url("t.parquet") in str(raised.value)
    assert user.secret_key not in str(raised.value)
    assert user.access_key not in str(raised.value)


@pytest.mark.parametrize("use", USES)
def test_no_credentials_are_named_with_what_to_set(
    bucket: Store, monkeypatch: pytest.MonkeyPatch, use: str
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(
        StorageError, match=r"s3://.*no usable credentials.*AWS_ACCESS_KEY_ID.*storage\.anonymous"
    ):
        USES[use](bucket.root, bucket.storage)


@pytest.mark.parametrize("use", USES)
def test_an_endpoint_that_is_gone_is_named(moto: Store, once: None, use: str) -> None:
    storage = moto.storage.model_copy(update={"endpoint_url": NOWHERE})
    with pytest.raises(StorageError, match=r"cannot be reached.*storage\.endpoint_url"):
        USES[use](moto.root, storage)


def test_a_failing_store_is_named_with_its_answer(bucket: Store, faults: FaultProxy) -> None:
    faults.add(Fault("status", status=400, code="InvalidRequest"))
    with pytest.raises(StorageError, match=r"t\.parquet.*failed with"):
        USES["write"](bucket.root, bucket.through(faults.url).storage)


def test_a_missing_object_is_named(store: Store) -> None:
    with pytest.raises(StorageError, match=r"missing\.parquet: does not exist"):
        read_table(store.url("missing.parquet"), ImageIndex, store.storage)


def test_errors_of_any_library_behind_another_scheme_are_the_stores() -> None:
    said = r"ftp://host/x: the store failed with error_perm: 530"
    with pytest.raises(StorageError, match=said), store_errors("ftp://host/x"):
        raise ftplib.error_perm("530 not logged in")
    with pytest.raises(ZeroDivisionError), store_errors("ftp://host/x"):
        1 / 0  # noqa: B018


def test_mistakes_that_are_no_stores_pass_unchanged() -> None:
    with pytest.raises(ZeroDivisionError), store_errors("s3://bucket/x"):
        1 / 0  # noqa: B018


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_rights_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StorageError, match="change the rights"):
        USES["write"](str(tmp_path / "x"), StorageSettings())


@pytest.mark.parametrize("key", KEYS)
def test_a_store_that_is_gone_is_that_whatever_the_key_says(moto: Store, once: None, key: str) -> None:
    with pytest.raises(StorageError, match="the store cannot be reached"):
        read_table(moto.url(key), ImageIndex, moto.through(NOWHERE).storage)


def test_an_answer_is_told_from_the_key(bucket: Store, faults: FaultProxy) -> None:
    faults.add(Fault("status", status=403))
    with pytest.raises(StorageError, match=r"denies access \(AccessDenied\)"):
        read_table(bucket.url("status/img_404.jpg"), ImageIndex, bucket.through(faults.url).storage)

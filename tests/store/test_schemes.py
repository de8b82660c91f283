"""Settings and the usual AWS variables lead to the same store through every library, and refusals say what to do."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from laketag.pipeline.config import FetchSettings, StorageSettings
from laketag.pipeline.errors import SettingsError, StorageError
from laketag.pipeline.lake.tables import read_table, write_table
from laketag.pipeline.stages.fetch_images import fetch_images
from laketag.pipeline.store.errors import store_errors
from laketag.pipeline.store.schemes import normalise_url, open_filesystem, polars_options
from laketag.schemas import ImageIndex
from tests.stores.ceph_gateway import User
from tests.stores.fault_proxy import Fault, FaultProxy
from tests.stores.store import OWNER, STRANGER, Store

NOWHERE = "http://127.0.0.1:9"
FRAME = pl.DataFrame(
    {"image_id": ["a"], "uri": ["/a"], "etag": ["1"], "size_bytes": [1], "true_class": [None]},
    schema_overrides={"true_class": pl.String},
)


def round_trip(root: str, storage: StorageSettings) -> None:
    """What s3fs writes, polars and obstore read."""
    url = f"{root}/table.parquet"
    write_table(FRAME, url, ImageIndex, storage)
    assert read_table(url, ImageIndex, storage).equals(FRAME)

    batch = pa.table({"image_id": ["a"], "uri": [url], "etag": ["unknown"], "size_bytes": [1]})
    assert fetch_images(batch, fetch=FetchSettings(), storage=storage)["failure"].to_pylist() == [None]


def unset(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    for name in names:
        monkeypatch.delenv(name, raising=False)


def test_settings_alone_lead_to_the_store(bucket: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    unset(monkeypatch, "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION", "AWS_DEFAULT_REGION")
    round_trip(bucket.root, bucket.storage)


def test_settings_win_over_variables(bucket: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", NOWHERE)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", NOWHERE)
    monkeypatch.setenv("AWS_ALLOW_HTTP", "false")
    round_trip(bucket.root, bucket.storage)


@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"])
def test_each_endpoint_variable_leads_to_the_store(
    bucket: Store, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    unset(monkeypatch, "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION", "AWS_DEFAULT_REGION")
    monkeypatch.setenv(variable, str(bucket.storage.endpoint_url))
    round_trip(bucket.root, StorageSettings())


def test_the_variable_of_the_service_wins_over_the_general_one(
    bucket: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", NOWHERE)
    round_trip(bucket.root, StorageSettings())


@pytest.mark.parametrize("by_variable", [True, False])
def test_a_profile_leads_to_the_store(
    bucket: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, by_variable: bool
) -> None:
    config = tmp_path / "config"
    config.write_text(
        f"[profile lake]\nregion = us-east-1\nservices = local\n"
        f"aws_access_key_id = {OWNER.access_key}\naws_secret_access_key = {OWNER.secret_key}\n"
        f"[services local]\ns3 =\n  endpoint_url = {bucket.storage.endpoint_url}\n"
    )
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    if by_variable:
        monkeypatch.setenv("AWS_PROFILE", "lake")
    round_trip(bucket.root, StorageSettings(profile=None if by_variable else "lake"))
    monkeypatch.delenv("AWS_PROFILE", raising=False)


def test_another_process_with_the_variables_reaches_the_store(bucket: Store) -> None:
    bucket.put("x", b"from here")
    program = (
        "import sys; from laketag.pipeline.config import StorageSettings; "
        "from laketag.pipeline.store.schemes import open_filesystem; "
        "fs, path = open_filesystem(sys.argv[1], StorageSettings()); sys.stdout.buffer.write(fs.cat_file(path))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, bucket.url("x")],
        env={**os.environ, **bucket.env},
        capture_output=True,
    )
    assert result.stdout == b"from here", result.stderr


def test_new_credentials_make_a_new_client(ceph: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    ceph.put("x", b"1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", STRANGER.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", STRANGER.secret_key)
    with pytest.raises(StorageError, match="denies access"), store_errors(ceph.url("x")):
        ceph.get("x")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", OWNER.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", OWNER.secret_key)
    assert ceph.get("x") == b"1"


def test_what_others_write_is_seen_at_once(store: Store) -> None:
    filesystem, path = open_filesystem(store.root, store.storage)
    assert filesystem.find(path) == []
    store.put("a", b"1")
    assert [name.rpartition("/")[2] for name in filesystem.find(path)] == ["a"]
    store.delete("a")
    assert filesystem.find(path) == []
    assert not filesystem.exists(f"{path}/a")


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
    with pytest.raises(StorageError, match=r"denies access.*check the credentials") as raised:
        USES[use](ceph.root, ceph.storage)
    assert ceph.url("t.parquet") in str(raised.value)
    assert user.secret_key not in str(raised.value)
    assert user.access_key not in str(raised.value)


@pytest.mark.parametrize("use", USES)
def test_no_credentials_are_named_with_what_to_set(
    bucket: Store, monkeypatch: pytest.MonkeyPatch, use: str
) -> None:
    unset(monkeypatch, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    with pytest.raises(
        StorageError, match=r"s3://.*no usable credentials.*AWS_ACCESS_KEY_ID.*storage\.anonymous"
    ):
        USES[use](bucket.root, bucket.storage)


def test_an_unknown_profile_is_named(moto: Store) -> None:
    with pytest.raises(StorageError, match=r"nix.*storage\.profile"):
        USES["read"](moto.root, StorageSettings(profile="nix"))


def test_an_endpoint_that_is_no_url_is_refused(moto: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "localhost:9000")
    with pytest.raises(StorageError, match=r"'localhost:9000' is not an http:// or https:// URL"):
        USES["read"](moto.root, StorageSettings())


@pytest.mark.parametrize("use", USES)
def test_an_endpoint_that_is_gone_is_named(moto: Store, use: str) -> None:
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


def test_mistakes_that_are_no_stores_pass_unchanged() -> None:
    with pytest.raises(ZeroDivisionError), store_errors("s3://bucket/x"):
        1 / 0  # noqa: B018


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_rights_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StorageError, match="change the rights"):
        USES["write"](str(tmp_path / "x"), StorageSettings())


def test_options_hold_no_credentials_for_local_paths_and_none_for_the_anonymous(moto: Store) -> None:
    assert polars_options("/data/x.parquet", moto.storage) == {}
    options = polars_options("s3://b", StorageSettings(anonymous=True))
    assert options["aws_skip_signature"] == "true"
    assert not any("secret" in name or "access_key" in name for name in options)


def test_urls_are_normalised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert normalise_url("a/b/") == f"{tmp_path}/a/b"
    assert normalise_url("file:///data/a%20b") == "/data/a b"
    assert normalise_url("s3://bucket/a//b/") == "s3://bucket/a//b"
    assert normalise_url("../x") == f"{tmp_path.parent.resolve()}/x"
    for wrong in ("gs://bucket/x", "s3://", "s3:///x", "http://host/x"):
        with pytest.raises(SettingsError, match="give a local path or s3://"):
            normalise_url(wrong)

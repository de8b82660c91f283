"""Settings and the usual AWS variables lead to the same store through every library."""

import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import StorageError
from laketag.pipeline.lake.tables import read_table, write_table
from laketag.pipeline.store.errors import store_errors
from laketag.pipeline.store.locations import parse_url
from laketag.pipeline.store.s3_access import resolve_access
from laketag.pipeline.store.s3_clients import Requests, open_botocore
from laketag.pipeline.store.schemes import open_bucket
from laketag.schemas import ImageIndex
from tests.stores.store import OWNER, STRANGER, Store

NOWHERE = "http://127.0.0.1:9"
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


def round_trip(root: str, storage: StorageSettings) -> None:
    """What s3fs writes, polars, obstore and botocore read."""
    url = f"{root}/table.parquet"
    location = parse_url(url)
    write_table(FRAME, url, ImageIndex, storage)
    assert read_table(url, ImageIndex, storage).equals(FRAME)
    size_bytes = open_bucket(location, storage, Requests(10.0)).head(location.key)["size"]
    client = open_botocore(resolve_access(storage), Requests(10.0))
    assert client.head_object(Bucket=location.bucket, Key=location.key)["ContentLength"] == size_bytes


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


def test_a_profile_says_where_the_buckets_name_is_unless_the_settings_do(
    moto: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "config").write_text("[profile lake]\ns3 =\n  addressing_style = virtual\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    assert resolve_access(StorageSettings(profile="lake")).addressing == "virtual"
    assert resolve_access(StorageSettings(profile="lake", addressing="path")).addressing == "path"
    assert resolve_access(StorageSettings()).addressing == "auto"


def test_an_unknown_profile_is_named(moto: Store) -> None:
    with pytest.raises(StorageError, match=r"nix.*storage\.profile"):
        resolve_access(StorageSettings(profile="nix"))


def test_an_endpoint_that_is_no_url_is_refused(moto: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "localhost:9000")
    with pytest.raises(StorageError, match=r"'localhost:9000' is not an http:// or https:// URL"):
        resolve_access(StorageSettings())

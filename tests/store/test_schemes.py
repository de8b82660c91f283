"""A URL's scheme decides how it is reached; other schemes and half URLs are refused."""

from pathlib import Path

import pytest

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import SettingsError
from laketag.pipeline.store.locations import parse_url
from laketag.pipeline.store.schemes import list_below, normalise_url, open_filesystem, polars_options
from tests.stores.store import Store


def test_what_others_write_is_seen_at_once(store: Store) -> None:
    filesystem, path = open_filesystem(store.root, store.storage)
    assert filesystem.find(path) == []
    store.put("a", b"1")
    assert [name.rpartition("/")[2] for name in filesystem.find(path)] == ["a"]
    store.delete("a")
    assert filesystem.find(path) == []
    assert not filesystem.exists(f"{path}/a")


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
    assert normalise_url("s3a://bucket/a") == "s3://bucket/a"
    for scheme in ("gs", "az", "ftp"):
        assert normalise_url(f"{scheme}://bucket/a/") == f"{scheme}://bucket/a"
        assert normalise_url(f"{scheme}://bucket/") == f"{scheme}://bucket"
    with pytest.raises(SettingsError, match="keys with an empty part"):
        normalise_url("gs://bucket/a//b")
    for wrong in ("s3://", "s3:///x", "gs://"):
        with pytest.raises(SettingsError, match="names no bucket"):
            normalise_url(wrong)


def test_schemes_that_cannot_be_read_are_named_with_what_is_missing() -> None:
    with pytest.raises(SettingsError, match="nosuch:// is no scheme that laketag or fsspec knows"):
        normalise_url("nosuch://host/x")
    with pytest.raises(SettingsError, match=r"abfs:// needs a package that is not installed .*adlfs"):
        normalise_url("abfs://container/x")


def test_a_url_with_a_password_is_refused_without_showing_it() -> None:
    with pytest.raises(SettingsError, match="with a password would be kept in the lake") as raised:
        normalise_url("ftp://ann:s3cret@host/photos")
    assert "ftp://ann:***@host/photos" in str(raised.value)
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize("url", ["gs://bucket/lake", "http://host/lake", "memory://lake"])
def test_tables_are_kept_in_folders_and_on_s3_alone(url: str) -> None:
    with pytest.raises(
        SettingsError, match=r"only images are read; this must be in a folder, s3://bucket/prefix or az://"
    ):
        open_filesystem(url, StorageSettings())


def test_a_web_server_is_no_folder() -> None:
    with pytest.raises(SettingsError, match="http:// gives single files by their URLs"):
        list_below(parse_url("http://host/photos"), StorageSettings(), lambda _: None)

"""A URL is taken apart and put together again without a change to the key."""

import pytest

from laketag.pipeline.errors import SettingsError
from laketag.pipeline.store.locations import Location, expand_home, hide_password, hide_secrets, parse_url


@pytest.mark.parametrize("key", ["a/b.jpg", "a//b", "/lead", "x/", "a/../b", "ü %20#?", "c://d"])
def test_an_object_url_keeps_its_key_exactly(key: str) -> None:
    location = parse_url(f"s3://bucket/{key}")
    assert (location.scheme, location.bucket, location.key) == ("s3", "bucket", key)
    assert location.url == f"s3://bucket/{key}"
    assert location.path == f"bucket/{key}"


def test_a_bucket_is_a_location_without_a_key() -> None:
    assert parse_url("s3://bucket") == Location("s3", "bucket", "")
    assert parse_url("s3://bucket").url == "s3://bucket"


@pytest.mark.parametrize(
    ("url", "path"), [("/data/a%20b", "/data/a%20b"), ("file:///data/a%20b", "/data/a b"), ("a/b", "a/b")]
)
def test_a_local_path_is_its_own_url(url: str, path: str) -> None:
    location = parse_url(url)
    assert location.is_local
    assert (location.url, location.path) == (path, path)


@pytest.mark.parametrize(
    ("url", "folder", "below"),
    [
        ("s3://b/in/x", "s3://b/in", True),
        ("s3://b/in/x", "s3://b/in/", True),
        ("s3://b/in/x", "s3://b", True),
        ("s3://b/inside/x", "s3://b/in", False),
        ("s3://other/in/x", "s3://b/in", False),
        ("/b/in/x", "s3://b/in", False),
        ("/in/x", "/", True),
    ],
)
def test_what_is_below_a_folder_begins_with_its_name_and_a_slash(url: str, folder: str, below: bool) -> None:
    assert parse_url(url).is_below(parse_url(folder)) is below


def test_a_home_folder_that_is_not_there_is_named() -> None:
    with pytest.raises(SettingsError, match="~nouser is no home folder of this machine"):
        expand_home("~nouser/photos")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("ftp://ann:s3c@ret@host:21/a@b", "ftp://ann:***@host:21/a@b"),
        ("http://:x@host", "http://:***@host"),
        ("https://token@host/@x?a=b@c", "https://***@host/@x?a=b@c"),
        ("HTTP://host/?mail=a@b", "HTTP://host/?mail=a@b"),
        ("hdfs://ann@host:8020/a:b@c", "hdfs://ann@host:8020/a:b@c"),
        ("s3://bucket/a:b@c", "s3://bucket/a:b@c"),
        ("/a:b@c", "/a:b@c"),
    ],
)
def test_passwords_are_hidden(url: str, shown: str) -> None:
    assert hide_password(url) == shown


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://h/x.jpg?X-Amz-Signature=0a1b&w=5#f", "https://h/x.jpg?X-Amz-Signature=…&w=5#f"),
        ("https://h/x?se=1&sig=a%2Bb%3D", "https://h/x?se=1&sig=…"),
        (
            "https://u:p@h/x?x-goog-credential=c/d&X-Amz-Security-Token=t",
            "https://u:***@h/x?x-goog-credential=…&X-Amz-Security-Token=…",
        ),
        ("s3://bucket/signature=1/x.jpg", "s3://bucket/signature=1/x.jpg"),
    ],
)
def test_messages_name_no_signature(url: str, shown: str) -> None:
    assert hide_secrets(url) == shown

"""Images come from allowed roots alone, whatever links and dots their URIs contain."""

from pathlib import Path

import pytest

from laketag.pipeline.images.image_failure import ImageFailure
from laketag.pipeline.images.image_locations import locate
from tests.images.reading import put, read, read_one, with_settings
from tests.stores.store import Store, folder_store


def test_outside_the_allowed_roots_nothing_is_read(store: Store) -> None:
    settings = with_settings(allowed_roots=(store.url("in"),))
    rows = [put(store, "in/x.jpg"), put(store, "inside/x.jpg"), put(store, "out.jpg")]
    inside, *others = read(store, *rows, settings=settings)
    assert (inside.reason, inside.attempts) == (None, 1)
    for image in others:
        assert (image.reason, image.attempts) == ("outside_policy", 0)
        assert "allowed_roots" in image.detail


@pytest.mark.parametrize(
    "uri",
    ["http://127.0.0.1:1/x.jpg", "nosuch://bucket/x.jpg", "gs://bucket", "relative/x.jpg", "s3://bucket"],
)
def test_other_schemes_and_half_uris_are_outside_policy(moto: Store, uri: str) -> None:
    image = read_one(moto, uri)
    assert (image.reason, image.attempts) == ("outside_policy", 0)


@pytest.mark.parametrize("uri", ["ftp://10.0.0.1/x.jpg", "http://10.0.0.1/x.jpg"])
def test_no_server_is_asked_without_an_allowed_root(uri: str) -> None:
    with pytest.raises(ImageFailure, match=r"only below fetch\.allowed_roots, which is empty"):
        locate(uri, ())
    assert locate(uri, (uri.removesuffix("/x.jpg"),)).file.key == "x.jpg"


def test_a_client_that_follows_redirects_is_not_used() -> None:
    with pytest.raises(ImageFailure, match=r"webhdfs:// is not read.*use hdfs://"):
        locate("webhdfs://host/in/x.jpg", ("webhdfs://host/in",))


def test_a_key_with_dots_cannot_climb_out_of_an_allowed_root(moto: Store) -> None:
    settings = with_settings(allowed_roots=(moto.url("in"),))
    assert read_one(moto, moto.url("in/../out.jpg"), settings=settings).reason == "outside_policy"


@pytest.mark.parametrize("way", ["..", "%2e%2e", ".\t.", "..\\..\\"])
def test_a_path_that_a_client_of_another_scheme_resolves_cannot_climb_out_either(way: str) -> None:
    with pytest.raises(ImageFailure, match="could lead out"):
        locate(f"ftp://host/in/{way}/out.jpg", ("ftp://host/in",))


def test_an_allowed_root_may_end_with_a_slash() -> None:
    for root in ("s3://b/in", "gs://b/in", "az://b/in", "ftp://h/in"):
        for ending in ("/", "//"):
            assert locate(f"{root}/x.jpg", (root + ending,)).file.key == "in/x.jpg"


def test_links_out_of_an_allowed_root_are_outside_policy(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    outside.mkdir()
    (outside / "secret.jpg").write_bytes(b"secret")
    (inside / "file.jpg").symlink_to(outside / "secret.jpg")
    (inside / "folder").symlink_to(outside)
    disk = folder_store(tmp_path)
    settings = with_settings(allowed_roots=(str(inside),))
    for uri in (inside / "file.jpg", inside / "folder/secret.jpg", inside / "../out/secret.jpg"):
        image = read_one(disk, str(uri), settings=settings)
        assert (image.reason, image.attempts) == ("outside_policy", 0), uri
    image = read_one(disk, str(inside / "file.jpg"))
    assert image.data == b"secret", "without allowed roots a link is followed"


def test_a_link_to_an_allowed_root_is_an_allowed_root(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    disk = folder_store(tmp_path)
    uri, etag = put(disk, "real/x.jpg")
    settings = with_settings(allowed_roots=(str(tmp_path / "link"),))
    assert read_one(disk, uri, etag, settings).reason is None


@pytest.mark.parametrize(
    "uri",
    [
        "file:///etc/passwd",
        "/etc/passwd",
        "/images/../etc/passwd",
        "file:///images/%2e%2e/etc/passwd",
        "s3://another/in/x.jpg",
        "s3://b/inside/x.jpg",
        "S3://b/../another/x.jpg",
        "http://169.254.169.254/latest/meta-data",
        "http://2852039166/in/x.jpg",
        "http://0xa9fea9fe/in/x.jpg",
        "http://0251.0376.0251.0376/in/x.jpg",
        "http://[::ffff:169.254.169.254]/in/x.jpg",
        "http://[fe80::1]/in/x.jpg",
        "http://localhost/in/x.jpg",
        "http://images.example/in/x.jpg",  # the root is https
        "https://images.example@169.254.169.254/in/x.jpg",
        "https://images.example:443@169.254.169.254/in/x.jpg",
        "https://images.example\\@169.254.169.254/in/x.jpg",
        "https://images.example#@169.254.169.254/in/x.jpg",
        "https://images.example.attacker.example/in/x.jpg",
        "https://images.example/in/../out.jpg",
    ],
)
def test_nothing_beside_the_allowed_roots_is_named(uri: str) -> None:
    with pytest.raises(ImageFailure, match="outside_policy"):
        locate(uri, ("/images", "s3://b/in", "https://images.example/in"))

"""Images on Google Cloud Storage and Azure, and a lake on Azure, on servers of this machine."""

import os
import shutil
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pytest

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import AccessError, SettingsError, StorageError
from laketag.pipeline.images.image_locations import embedded_uri
from laketag.pipeline.images.listing import ImageListing, LeftOut
from laketag.pipeline.lake.lease import hold_lease
from laketag.pipeline.lake.paths import open_lake
from laketag.pipeline.lake.tables import create_table, read_footer, read_table, write_table
from laketag.pipeline.store.atomic_write import create_bytes, write_bytes
from laketag.pipeline.store.cloud_objects import without_folder_marks
from laketag.pipeline.store.errors import store_errors
from laketag.pipeline.store.files import read_json
from laketag.pipeline.store.folders import list_files, list_folders, remove_folder
from laketag.pipeline.store.locations import parse_url
from laketag.pipeline.store.looks import find_version
from laketag.schemas import ImageIndex
from tests.images.indexing import fetched
from tests.images.reading import put_table, read, read_one
from tests.stores import azurite, fake_gcs
from tests.stores.store import Store, folder_store

KEYS = ["in/a.jpg", "in/b c+%20#?&=/é.png", "in/[x]*{y}😀\u00a0.gif", "inside/other.jpg"]
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


@pytest.fixture(scope="module")
def azurite_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if shutil.which(azurite.PROGRAM) is None:
        reason = f"{azurite.PROGRAM} is missing; infra/ci/install-system-packages.sh installs it"
        if os.environ.get("LAKETAG_REQUIRE_ALL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with azurite.serve_azurite(tmp_path_factory.mktemp("azurite")) as url:
        yield url


@pytest.fixture
def azure(azurite_url: str, monkeypatch: pytest.MonkeyPatch) -> Store:
    """An empty container."""
    monkeypatch.setenv("AZURE_STORAGE_USE_EMULATOR", "true")
    monkeypatch.setenv("AZURITE_BLOB_STORAGE_URL", azurite_url)
    container = f"c-{uuid.uuid4().hex[:12]}"
    azurite.make_container(azurite_url, container)
    return Store("azure", f"az://{container}")


@pytest.fixture(scope="module")
def gcs_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with fake_gcs.serve_fake_gcs(tmp_path_factory.mktemp("gcs")) as url:
        yield url


@pytest.fixture
def gcs(gcs_url: str, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A bucket with an object at each of KEYS."""
    monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT_KEY", fake_gcs.service_account(gcs_url))
    bucket = f"b-{uuid.uuid4().hex[:12]}"
    fake_gcs.make_bucket(gcs_url, bucket)
    for key in KEYS:
        fake_gcs.upload(gcs_url, bucket, key, key.encode())
    return Store("gcs", f"gs://{bucket}")


def check_images(store: Store) -> None:
    """The images are listed with versions and read, and fail as on other stores."""
    listed = pl.concat(list(ImageListing(store.url("in"), store.storage)))
    assert sorted(listed["uri"]) == sorted(store.url(key) for key in KEYS[:3])
    assert fetched(store, listed) == [uri[len(store.root) + 1 :].encode() for uri in listed["uri"]]
    uri, etag = listed.row(0)[:2]
    assert find_version(parse_url(uri), store.storage).etag == etag
    assert read_one(store, uri, "0" * 32).reason == "changed"
    assert find_version(parse_url(f"{store.root}/a//b.jpg"), store.storage).etag == "unknown"
    missing, odd, whole = read(
        store, *((store.root + path, "unknown") for path in ("/missing.jpg", "/a//b.jpg", ""))
    )
    assert (missing.reason, missing.attempts) == ("not_found", 1)
    assert (odd.reason, whole.reason) == ("outside_policy", "outside_policy")


def test_images_on_google(gcs: Store) -> None:
    check_images(gcs)


def test_marks_of_folders_are_no_images(gcs: Store, gcs_url: str) -> None:
    bucket = parse_url(gcs.root).bucket
    for key in ("marked/", "marked/photos.jpg/", "marked/photos.jpg/x.jpg"):
        fake_gcs.upload(gcs_url, bucket, key, b"x" if key.endswith("x.jpg") else b"")
    left_out = LeftOut()
    listed = pl.concat(list(ImageListing(gcs.url("marked/"), gcs.storage, left_out=left_out)))
    assert listed["path"].to_list() == ["photos.jpg/x.jpg"]
    assert not left_out.files


def test_no_lake_on_google(gcs: Store) -> None:
    with pytest.raises(SettingsError, match="has the scheme gs://"):
        open_lake(gcs.url("lake"), gcs.storage)


def test_images_and_tables_of_images_on_azure(azure: Store, tmp_path: Path) -> None:
    for key in KEYS:
        azure.put(key, key.encode())
    check_images(azure)
    put_table(folder_store(tmp_path), "t.parquet", rows=12)
    url = azure.put("t.parquet", (tmp_path / "t.parquet").read_bytes())
    assert read_one(azure, embedded_uri(url, "jpeg", 3)).data == b"image 3 " * 50


def test_of_many_that_create_one_blob_exactly_one_wins(azure: Store) -> None:
    """The race that the commit of a run depends on."""
    for number in range(20):
        contents = [f"{writer}".encode() for writer in range(8)]
        url = azure.url(f"{number}")
        with ThreadPoolExecutor(8) as pool:
            won = list(pool.map(lambda data, url=url: create_bytes(url, data, azure.storage), contents))  # type: ignore[misc]
        assert [data for data, is_mine in zip(contents, won, strict=True) if is_mine] == [
            azure.get(f"{number}")
        ]


def test_a_lake_on_azure(azure: Store) -> None:
    lake = open_lake(azure.url("a b+%20[x]/lake"), azure.storage)
    assert list_files(lake.path("runs"), lake.storage) == []
    assert list_folders(lake.path("index"), lake.storage) == []
    table = lake.path("runs", "t.parquet")
    write_table(FRAME, table, ImageIndex, lake.storage)
    assert not create_table(FRAME.with_columns(uri=pl.lit("/b")), table, ImageIndex, lake.storage)
    assert read_table(table, ImageIndex, lake.storage).equals(FRAME)
    assert read_footer(table, lake.storage)["schema"] == "ImageIndex"
    write_bytes(lake.path("staging", "r", "run.json"), b"{}", lake.storage)
    assert read_json(lake.path("staging", "r", "run.json"), lake.storage) == {}
    assert read_json(lake.path("staging", "r", "no.json"), lake.storage) is None
    assert list_files(lake.path("runs"), lake.storage) == [table]
    assert list_folders(lake.path("staging"), lake.storage) == ["r"]
    with hold_lease(lake, "x") as lease:
        lease.check()
    remove_folder(lake.path("staging"), lake.storage)
    assert list_folders(lake.path("staging"), lake.storage) == []
    assert list_files(lake.path("runs"), lake.storage) == [table]


@pytest.mark.parametrize("key", ["x.jpg", "in"])
def test_a_client_without_an_account_ends_the_run_and_not_the_image(
    monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    for name in [name for name in os.environ if name.startswith("AZURE_")]:
        monkeypatch.delenv(name)
    nobody = Store("azure", "az://container")
    with pytest.raises(AccessError, match=r"no usable credentials .*AZURE_STORAGE_ACCOUNT_NAME"):
        read_one(nobody, nobody.url(key))
    with pytest.raises(AccessError, match="no usable credentials"):
        list(ImageListing(nobody.url(key), nobody.storage))


def test_a_container_that_is_not_there_is_named(azure: Store) -> None:
    url = "az://no-such-container/x"
    with pytest.raises(StorageError, match="there is no bucket az://no-such-container"), store_errors(url):
        list(ImageListing(url, StorageSettings()))


def test_marks_of_folders_are_left_out_of_a_listing() -> None:
    sizes = {"a": 0, "a-1.jpg": 1, "a.jpg": 0, "a/b": 0, "a/b/c": 0, "a/b/c/x.jpg": 1, "a0": 1, "z.jpg": 0}
    entries = [{"path": path, "size": size} for path, size in sizes.items()]
    found = without_folder_marks([entries[:2], entries[2:5], entries[5:]])
    assert sorted(entry["path"] for page in found for entry in page) == [
        *("a-1.jpg", "a.jpg", "a/b/c/x.jpg", "a0", "z.jpg")
    ]

"""A source is recognised by its name, or by its first bytes."""

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import InputError
from laketag.pipeline.images.sources import Kind, find_kind
from tests.images.decoding import encode, gradient
from tests.stores.store import Store

JPEG = encode(gradient(8, 8), "JPEG")


def parquet() -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table({"image": [JPEG]}), sink)
    return sink.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("x.jpg", JPEG, "image"),
        ("broken.JPG", b"not a picture", "image"),
        ("0a1b", JPEG, "image"),
        ("_list.txt", b"x.jpg", "list"),
        ("t.PARQUET", parquet(), "table"),
        ("000000_0", parquet(), "table"),
        ("t.csv", b"url", "table"),
        ("t.tsv.gz", b"url", "table"),
        ("manifest.json", b"{}", "inventory"),
    ],
)
def test_a_file_is_what_it_looks_like(store: Store, name: str, data: bytes, kind: Kind) -> None:
    assert find_kind(store.put(f"in/{name}", data), store.storage) == kind


def test_a_folder_or_prefix_is_one_of_images_unless_said_or_named_otherwise(store: Store) -> None:
    store.put("in/x.jpg", JPEG)
    store.put("t.parquet/part-0.parquet", parquet())
    store.put("list.txt/x.jpg", JPEG)
    assert find_kind(store.url("in"), store.storage) == "folder"
    assert find_kind(store.url("list.txt/"), store.storage) == "folder"
    assert find_kind(store.url("in"), store.storage, is_table=True) == "table"
    assert find_kind(store.url("t.parquet"), store.storage) == "table"


def test_an_empty_file_is_an_image_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "x.jpg").touch()
    assert find_kind(str(tmp_path / "x.jpg"), StorageSettings()) == "image"


def test_what_is_none_of_these_or_not_there_is_refused_with_what_can_be_indexed(tmp_path: Path) -> None:
    (tmp_path / "shard.tar").write_bytes(b"tar")
    with pytest.raises(InputError, match=r"shard\.tar is none of what can be indexed: a folder or s3://"):
        find_kind(str(tmp_path / "shard.tar"), StorageSettings())
    with pytest.raises(InputError, match=r"https:// is read only where a table or a \.txt list names"):
        find_kind("https://example.org/x.jpg", StorageSettings())
    with pytest.raises(InputError, match="gone does not exist, and is none of"):
        find_kind(str(tmp_path / "gone"), StorageSettings())

"""What S3 Inventory writes is indexed instead of a listing."""

import gzip
import hashlib
import io
import json
from pathlib import Path
from urllib.parse import quote_plus

import polars as pl
import pytest

from laketag.pipeline.errors import InputError
from laketag.pipeline.images.listing import ListingRules
from tests.flows.indexed import index
from tests.images.decoding import encode, gradient
from tests.stores.store import Store, folder_store

PICTURES = [encode(gradient(8 + n, 8), "JPEG") for n in range(4)]


def inventory(bucket: str, file_format: str, store: Store) -> str:
    """What S3 Inventory writes about some objects: the URL of its manifest.json."""
    objects = {f"in/a b+ü{n}.jpg": picture for n, picture in enumerate(PICTURES)} | {"in/notes.txt": b"text"}
    rows = []
    for key, data in objects.items():
        store.put(key, data)
        rows.append((key, len(data), True, False))
    rows += [("in/a b+ü0.jpg", 1, False, False), ("in/gone.jpg", None, True, True)]
    etags = {key: hashlib.md5(data).hexdigest() for key, data in objects.items()}
    folder = "lists/b/daily/data"
    if file_format == "CSV":
        name = f"{folder}/1.csv.gz"
        encoded = {key: quote_plus(key, safe="/") for key, *_ in rows}
        lines = [
            f'"{bucket}","{encoded[key]}","v","{str(latest).lower()}","{str(deleted).lower()}","{size or ""}",'
            f'"2026-11-01T00:00:00.000Z","{"" if deleted else etags[key]}","STANDARD"'
            for key, size, latest, deleted in rows
        ]
        store.put(name, gzip.compress("\n".join(lines).encode()))
        schema = (
            "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag, StorageClass"
        )
    else:
        name, sink = f"{folder}/1.parquet", io.BytesIO()
        frame = pl.DataFrame(
            {
                "bucket": [bucket] * len(rows),
                "key": [key for key, *_ in rows],
                "is_latest": [latest for _, _, latest, _ in rows],
                "is_delete_marker": [deleted for *_, deleted in rows],
                "size": [size for _, size, *_ in rows],
                "e_tag": [None if deleted else etags[key] for key, _, _, deleted in rows],
            }
        )
        frame.write_parquet(sink)
        store.put(name, sink.getvalue())
        schema = "message s3.inventory { required binary bucket (UTF8); required binary key (UTF8); }"
    manifest = {
        "sourceBucket": bucket,
        "destinationBucket": f"arn:aws:s3:::{bucket}",
        "version": "2016-11-30",
        "creationTimestamp": "1514944800000",
        "fileFormat": file_format,
        "fileSchema": schema,
        "files": [{"key": name, "size": 1, "MD5checksum": "f11166069f1990abeb9c97ace9cdfabc"}],
    }
    return store.put("lists/b/daily/2026-11-01T00-00Z/manifest.json", json.dumps(manifest).encode())


@pytest.mark.parametrize("file_format", ["CSV", "Parquet"])
def test_an_inventory_names_the_objects_that_exist_now(moto: Store, tmp_path: Path, file_format: str) -> None:
    manifest = inventory(moto.root.removeprefix("s3://"), file_format, moto)
    indexed = index(manifest, tmp_path / "lake", storage=moto.storage, class_from_folder=True)
    assert indexed.rows["uri"].to_list() == [moto.url(f"in/a b+ü{n}.jpg") for n in range(4)]
    assert indexed.rows["size_bytes"].to_list() == [len(picture) for picture in PICTURES]
    assert indexed.rows["true_class"].to_list() == ["in"] * 4
    assert indexed.fetched == PICTURES
    assert indexed.summary.left_out == {".txt": 1, "older version": 1, "deleted": 1}
    by_name = ListingRules(exclude=("*ü0*",))
    assert index(manifest, tmp_path / "lake", storage=moto.storage, rules=by_name).summary.images == 3


def test_a_copy_of_an_inventory_is_read_with_its_data_files(moto: Store, tmp_path: Path) -> None:
    inventory(moto.root.removeprefix("s3://"), "CSV", moto)
    copy = folder_store(tmp_path)
    for key in ("data/1.csv.gz", "2026-11-01T00-00Z/manifest.json"):
        copy.put(f"copied/lists/b/daily/{key}", moto.get(f"lists/b/daily/{key}"))
    manifest = copy.url("copied/lists/b/daily/2026-11-01T00-00Z/manifest.json")
    assert index(manifest, tmp_path / "lake", storage=moto.storage).fetched == PICTURES


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"name": "an app"}, "no manifest of an S3 Inventory"),
        (["x"], "no manifest of an S3 Inventory"),
        (
            {"fileFormat": "ORC", "fileSchema": "struct<>", "sourceBucket": "b", "files": []},
            "in the format ORC; configure one in Parquet or CSV",
        ),
    ],
)
def test_what_is_no_inventory_or_is_not_read_is_refused(
    tmp_path: Path, content: object, message: str
) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=message):
        index(tmp_path / "manifest.json", tmp_path / "lake")


def test_an_inventory_without_etags_is_refused(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text('"b","a.jpg"\n')
    content = {
        "fileFormat": "CSV",
        "fileSchema": "Bucket, Key",
        "sourceBucket": "b",
        "files": [{"key": "x/1.csv"}],
    }
    (tmp_path / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="lacks bucket, key or e_tag; add the field ETag"):
        index(tmp_path / "manifest.json", tmp_path / "lake")

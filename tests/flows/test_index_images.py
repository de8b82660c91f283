"""Indexing a source: the rows of the snapshot."""

from pathlib import Path

import polars as pl

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.flows.index_images import IndexRequest, index_images
from laketag.pipeline.images.parquet_index import IndexColumns
from laketag.pipeline.lake.paths import open_lake
from laketag.pipeline.lake.snapshots import scan_snapshot

NFD, INVISIBLE, PLAIN = "cafe\u0301", "\ufeffca\u00adf\u00e9\u200e", "café"


def true_classes(tmp_path: Path, request: IndexRequest) -> list[str | None]:
    lake = open_lake(str(tmp_path / "lake"), StorageSettings())
    snapshot = index_images(lake, request).snapshot
    rows = scan_snapshot(lake, snapshot).sort("uri").collect()
    return list(rows["true_class"])


def test_folders_that_look_alike_are_one_true_class(tmp_path: Path) -> None:
    for name in (NFD, INVISIBLE, "cat"):
        (tmp_path / "images" / name).mkdir(parents=True)
        (tmp_path / "images" / name / "a.png").touch()
    found = true_classes(
        tmp_path, IndexRequest(source=str(tmp_path / "images"), collection="c", class_from_folder=True)
    )
    assert sorted(found) == ["café", "café", "cat"]


def test_classes_of_a_table_that_look_alike_are_one_true_class(tmp_path: Path) -> None:
    frame = pl.DataFrame({"uri": ["s3://b/a", "s3://b/b", "s3://b/c", "s3://b/d"], "etag": list("wxyz")})
    table = tmp_path / "images.parquet"
    frame.with_columns(breed=pl.Series([NFD, INVISIBLE, PLAIN, None])).write_parquet(table)
    columns = IndexColumns(etag="etag", true_class="breed")
    found = true_classes(tmp_path, IndexRequest(source=str(table), collection="c", columns=columns))
    assert found == ["café", "café", "café", None]

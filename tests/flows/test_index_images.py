"""Indexing a source: the rows of the snapshot."""

from pathlib import Path

import polars as pl
import pytest

from laketag.pipeline.errors import InputError
from laketag.pipeline.images.listing import ListingRules
from laketag.pipeline.lake.snapshot_changes import Changes
from tests.flows.indexed import index

NFD, INVISIBLE, PLAIN = "cafe\u0301", "\ufeffca\u00adf\u00e9\u200e", "café"


def test_folders_that_look_alike_are_one_true_class(tmp_path: Path) -> None:
    for name in (NFD, INVISIBLE, "cat"):
        (tmp_path / "images" / name).mkdir(parents=True)
        (tmp_path / "images" / name / "a.png").touch()
    indexed = index(tmp_path / "images", tmp_path / "lake", class_from_folder=True)
    assert sorted(indexed.rows["true_class"]) == ["café", "café", "cat"]


def test_classes_of_a_table_that_look_alike_are_one_true_class(tmp_path: Path) -> None:
    frame = pl.DataFrame({"uri": ["s3://b/a", "s3://b/b", "s3://b/c", "s3://b/d"], "etag": list("wxyz")})
    table = tmp_path / "images.parquet"
    frame.with_columns(breed=pl.Series([NFD, INVISIBLE, PLAIN, None])).write_parquet(table)
    indexed = index(table, tmp_path / "lake", etag="etag", true_class="breed")
    assert indexed.rows["true_class"].to_list() == ["café", "café", "café", None]


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())


def test_an_index_says_what_changed_and_is_not_written_if_nothing_did(tmp_path: Path) -> None:
    images, lake = tmp_path / "images", tmp_path / "lake"
    put(images, "a.jpg", "x/b.jpg", "x/c.jpg")
    first = index(images, lake).summary
    assert (first.is_new, first.changes) == (True, Changes(new=3))
    again = index(images, lake).summary
    assert (again.is_new, again.changes, again.snapshot) == (False, Changes(), first.snapshot)
    (images / "a.jpg").unlink()
    put(images, "x/d.jpg")
    (images / "x/b.jpg").write_bytes(b"another")
    third = index(images, lake).summary
    assert (third.is_new, third.changes) == (True, Changes(new=1, changed=1, gone=1))
    named = index(images, lake, class_from_folder=True).summary
    assert (named.is_new, named.changes) == (True, Changes(edited=3))


def test_a_source_without_an_image_is_refused_with_what_was_left_out(tmp_path: Path) -> None:
    put(tmp_path / "images", "notes.txt", "more.txt", ".hidden/x.jpg")
    with pytest.raises(
        InputError, match=r"no image was found \(left out: 2 \.txt, 1 hidden\).*add --parquet"
    ):
        index(tmp_path / "images", tmp_path / "lake")
    table = tmp_path / "images/t.csv"
    table.write_text("id,uri\n1,\n")
    with pytest.raises(InputError, match=r"no image was found \(left out: 1 no URI\); name a source"):
        index(table, tmp_path / "lake")
    assert not (tmp_path / "lake").exists()


def test_images_outside_the_allowed_roots_are_counted_and_refused_if_there_are_no_others(
    tmp_path: Path,
) -> None:
    put(tmp_path, "in/a.jpg", "in/b.jpg", "out/c.jpg")
    roots = (f"{tmp_path}/in",)
    reason = f"not under fetch.allowed_roots ({tmp_path}/in)"
    partly = index(tmp_path, tmp_path / "lake", roots=roots, rules=ListingRules(exclude=("lake",)))
    assert (partly.summary.images, partly.summary.unreadable) == (3, {reason: 1})
    with pytest.raises(InputError, match=r"none of its images can be read, 1 of 1: not under"):
        index(tmp_path / "out", tmp_path / "lake", roots=roots)

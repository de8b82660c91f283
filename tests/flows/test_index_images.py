"""Indexing a source: the rows of the snapshot."""

import shutil
from pathlib import Path

import polars as pl
import pytest

from laketag.pipeline.errors import InputError, StorageError
from laketag.pipeline.images.listing import ListingRules
from laketag.pipeline.lake.snapshot_changes import Changes
from tests.flows.indexed import index
from tests.stores.store import Store

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


def test_images_below_what_cannot_be_read_stay_as_they_were_in_the_last_index(tmp_path: Path) -> None:
    """An unreadable folder, a folder that is a link to an absent mount, and a link to one image there."""
    images, mount, lake = tmp_path / "images", tmp_path / "mount", tmp_path / "lake"
    put(images, "a.jpg", "locked/b.jpg", "locked-too/c.jpg")
    put(mount, "d.jpg", "e.jpg")
    (images / "nas").symlink_to(mount)
    (images / "f.jpg").symlink_to(mount / "e.jpg")
    tmp_path.chmod(0o755)
    first = index(images, lake)
    assert (first.summary.images, first.summary.carried) == (6, 0)
    shutil.rmtree(mount)
    (images / "a.jpg").unlink()
    put(images, "new.jpg")
    shutil.rmtree(images / "locked")
    (images / "locked").symlink_to(images / "nowhere")
    second = index(images, lake)
    assert (second.summary.carried, second.summary.changes) == (4, Changes(new=1, gone=1, carried=4))
    kept = ["f.jpg", "locked/b.jpg", "nas/d.jpg", "nas/e.jpg"]
    carried = second.rows.filter(pl.col("uri").is_in([f"{images}/{name}" for name in kept]))
    assert carried["carried"].all()
    before = first.rows.filter(pl.col("uri").is_in(carried["uri"]))
    assert carried.drop("carried").equals(before.drop("carried"))
    assert sorted(second.rows["uri"]) == sorted(
        f"{images}/{name}" for name in (*kept, "locked-too/c.jpg", "new.jpg")
    )


def test_a_table_of_which_a_part_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """Nothing tells which rows of the last index were in that part."""
    (tmp_path / "t").mkdir()
    pl.DataFrame({"uri": ["s3://b/a"], "etag": ["w"]}).write_parquet(tmp_path / "t/1.parquet")
    (tmp_path / "t/year=2025").symlink_to(tmp_path / "mount")
    with pytest.raises(StorageError, match=r"year=2025 cannot be read \(broken link\)"):
        index(tmp_path / "t", tmp_path / "lake", is_table=True, etag="etag")


@pytest.mark.parametrize("kind", ["folder", "partitions", "list", "list of absent files"])
def test_an_index_from_which_too_many_images_are_gone_is_refused_unless_it_is_accepted(
    tmp_path: Path, kind: str
) -> None:
    """An empty mount below the source, lost partitions of a table, lost lines of a list, and a list of an absent mount."""
    images, source = tmp_path / "images", tmp_path / "images"
    put(images, *(f"{folder}/{number:02}.jpg" for folder in ("kept", "lost") for number in range(50)))
    files = sorted(str(file) for file in images.rglob("*.jpg"))
    if kind == "partitions":
        source = tmp_path / "t"
        for folder in ("kept", "lost"):
            (source / f"in={folder}").mkdir(parents=True)
            pl.DataFrame({"uri": [file for file in files if folder in file]}).write_parquet(
                source / f"in={folder}/1.parquet"
            )
    elif kind.startswith("list"):
        source = tmp_path / "list.txt"
        source.write_text("\n".join(files))
    first = index(source, tmp_path / "lake", is_table=kind == "partitions").summary
    if kind in ("folder", "list of absent files"):
        for file in (images / "lost").iterdir():
            file.unlink()
    elif kind == "partitions":
        shutil.rmtree(source / "in=lost")
    else:
        source.write_text("\n".join(files[:50]))
    with pytest.raises(InputError, match=r"50 of the 100 images .*/lost/00.jpg.*--accept-gone"):
        index(source, tmp_path / "lake", is_table=kind == "partitions")
    assert len(list((tmp_path / "lake/index/collection=c").iterdir())) == 1
    again = index(source, tmp_path / "lake", is_table=kind == "partitions", accept_gone=True).summary
    assert again.changes in (Changes(gone=50), Changes(unseen=50))
    assert again.snapshot != first.snapshot


def test_a_prefix_that_lists_nothing_is_refused_and_one_that_lists_less_is_too(
    moto: Store, tmp_path: Path
) -> None:
    for number in range(100):
        moto.put(f"in/{number:02}.jpg", b"x")
    moto.put("other/notes.txt", b"x")
    lake = tmp_path / "lake"
    assert index(moto.url("in"), lake, storage=moto.storage).summary.images == 100
    with pytest.raises(InputError, match="holds no object"):
        index(moto.url("nowhere"), lake, storage=moto.storage)
    with pytest.raises(InputError, match="no image was found"):
        index(moto.url("other"), lake, storage=moto.storage)
    moto.put("less/1.jpg", b"x")
    with pytest.raises(InputError, match="100 of the 100 images"):
        index(moto.url("less"), lake, storage=moto.storage)

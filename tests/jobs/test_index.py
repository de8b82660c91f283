"""What ``laketag index`` refuses, and what it prints."""

import io
import signal
from collections import Counter
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from rich.console import Console

from laketag.jobs.index import index, show_summary
from laketag.pipeline.errors import AccessError, InputError, SettingsError
from laketag.pipeline.flows.index_images import IndexSummary
from laketag.pipeline.lake.snapshot_changes import Changes
from laketag.pipeline.lake.snapshots import Snapshot
from laketag.pipeline.screen import Screen
from tests.end_to_end.command_line import one_line, start_laketag
from tests.stores.bends import RequesterPays
from tests.stores.fault_proxy import Fault, FaultProxy
from tests.stores.store import Store


def test_options_of_one_kind_of_source_are_refused_for_others(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    photos, lake = str(tmp_path / "photos"), str(tmp_path / "lake")
    with pytest.raises(
        SettingsError, match=r"photos is not a \.parquet or \.csv file.*; add --parquet, or leave"
    ):
        index(photos, lake, "c", uri_column="url")
    with pytest.raises(SettingsError, match="--class-from-folder is for folders and lists of images"):
        index("photos.parquet", lake, "c", class_from_folder=True)
    with pytest.raises(SettingsError, match="collection 'a/b' cannot be part of a path"):
        index(photos, lake, "a/b")
    for rule in ({"exclude": ["thumbs"]}, {"by_content": True}, {"by_content": False}):
        with pytest.raises(
            SettingsError, match="are for folders of images and S3 Inventories; leave them out"
        ):
            index("photos.parquet", lake, "c", **rule)


def test_a_layout_is_for_folders_and_what_it_counts_is_printed(tmp_path: Path) -> None:
    for name in ("cat/x.jpg", "dog/readme.md"):
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "photos" / name).write_bytes(b"some text")
    photos, lake = str(tmp_path / "photos"), str(tmp_path / "lake")
    for source, options in (
        ("photos.parquet", {}),
        (photos, {"class_from_folder": True}),
        (photos, {"by_content": True}),
    ):
        with pytest.raises(SettingsError, match="--layout imagefolder is for folders and prefixes"):
            index(source, lake, "c", layout="imagefolder", **options)
    console = Console(file=io.StringIO(), width=200)
    summary = index(photos, lake, "c", layout="imagefolder", console=console)
    assert (summary.images, summary.with_class) == (1, 1)
    assert "1 of 2 classes have no image: 'dog'" in console.file.getvalue()  # type: ignore[attr-defined]


def test_a_csv_file_of_images_and_classes_is_an_index_with_true_classes(tmp_path: Path) -> None:
    (tmp_path / "cat.jpg").write_bytes(b"some text")
    (tmp_path / "own.csv").write_text("image,class\ncat.jpg,hot_dog\n")
    lake = str(tmp_path / "lake")
    assert index(str(tmp_path / "own.csv"), lake, "c", class_column="class").with_class == 1
    with pytest.raises(
        InputError, match="has no column 'label' for --class-column; its columns: image, class"
    ):
        index(str(tmp_path / "own.csv"), lake, "c", class_column="label")


def test_what_is_left_out_is_listed_by_name_on_request(tmp_path: Path) -> None:
    for name in ("x.jpg", "notes.txt", "@eaDir/x.jpg/T.jpg", "small/y.jpg"):
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "photos" / name).write_bytes(b"some text")
    console = Console(file=io.StringIO(), width=100)
    summary = index(
        str(tmp_path / "photos"),
        str(tmp_path / "lake"),
        "c",
        exclude=["small"],
        show_left_out=True,
        console=console,
    )
    assert summary.images == 1
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert lines[0] == f"reading {tmp_path / 'photos'} …"
    assert lines[1:4] == [
        "left out, in @eaDir: @eaDir/",
        "left out, --exclude small: small/",
        "left out, .txt: notes.txt",
    ]


def test_a_glob_that_matched_nothing_is_named(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    (photos / "private").mkdir(parents=True)
    (photos / "x.jpg").write_bytes(b"some text")
    (photos / "private/y.jpg").write_bytes(b"some text")
    console = Console(file=io.StringIO(), width=200)
    globs = ["./private", f"{photos}/privat"]
    summary = index(str(photos), str(tmp_path / "lake"), "c", exclude=globs, console=console)
    assert (summary.images, summary.left_out) == (1, {"--exclude ./private": 1})
    text = one_line(console.file.getvalue())  # type: ignore[attr-defined]
    assert f"--exclude {photos}/privat matched no file or folder" in text
    assert "--exclude ./private matched" not in text


def shown(**changes: object) -> str:
    """The summary as it is printed."""
    summary = IndexSummary(
        collection="c",
        snapshot=Snapshot("T", ()),
        is_new=True,
        images=1200,
        changes=Changes(),
        with_class=0,
        unreadable=Counter(),
        left_out=Counter(),
    )
    console = Console(file=io.StringIO(), width=100)
    show_summary(replace(summary, **changes), Screen(console))
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_folders_that_could_not_be_read_are_named() -> None:
    text = shown(left_out=Counter({"folder not readable": 1}), unreadable_folders=["a/locked/"])
    assert "left out, folder not readable 1" in one_line(text)
    assert "folder not readable: a/locked/" in text


def test_files_that_were_left_out_are_counted_by_extension() -> None:
    left_out = Counter({".txt": 3} | {f".e{number}": 1 for number in range(12)})
    text = one_line(shown(left_out=left_out))
    assert "images 1,200 new 0 changed 0 gone 0 left out, .txt 3 left out, .e0 1" in text
    assert "left out, other reasons 3" in text


def test_changes_and_images_that_cannot_be_read_are_counted() -> None:
    text = one_line(shown(changes=Changes(new=2, gone=1), unreadable=Counter({"no bytes": 7})))
    assert "new 2 changed 0 gone 1 cannot be read: no bytes 7" in text
    assert "nothing has changed" not in text
    text = one_line(shown(changes=Changes(unseen=3), carried=5))
    assert "changed 0 named by the source, but not found any more 3 gone 0" in text
    assert "carried over, as they could not be looked at 5" in text
    text = one_line(shown(is_new=False))
    assert "collection c, snapshot T; nothing has changed, so no new one was written" in text


def test_the_column_that_was_taken_is_said_with_the_reason(tmp_path: Path) -> None:
    pl.DataFrame({"url": ["http://x/y"], "jpg": [b"picture"]}).write_parquet(tmp_path / "t.parquet")
    console = Console(file=io.StringIO(), width=200)
    summary = index(str(tmp_path / "t.parquet"), str(tmp_path / "lake"), "c", console=console)
    said = "the images are the bytes in column 'jpg' (found by its name and type; the URIs in column 'url' are not read)"
    assert list(summary.columns) == [said]
    assert said in console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("end", "path"), [(signal.SIGTERM, "^/t-[0-9a-f]+$"), (signal.SIGINT, "/in$")], ids=["listing", "reading"]
)
def test_a_signal_ends_an_index_whose_store_does_not_answer(
    moto: Store, moto_faults: FaultProxy, tmp_path: Path, end: signal.Signals, path: str
) -> None:
    """The store would be waited for for minutes."""
    moto.put("in/x.jpg", b"x")
    fault = moto_faults.add(Fault("hold", method="GET", path=path))
    behind = moto.through(moto_faults.url)
    command = start_laketag(
        "index", moto.url("in"), "--root", str(tmp_path), "--collection", "c", env=behind.env
    )
    command.until(lambda: fault.hits, "the store is asked")
    command.process.send_signal(end)
    code = command.process.wait(20)
    fault.over = True
    assert command.wait() == code != 0, command.text


def test_images_and_the_lake_are_reached_in_their_own_ways(moto: Store, moto_faults: FaultProxy) -> None:
    """Two endpoints, of which one is in another region and wants to be paid."""
    moto.put("in/x.jpg", b"x")
    moto_faults.bend = RequesterPays()
    source = [f"source.endpoint_url={moto_faults.url}", "source.requester_pays=true"]
    lake = [f"storage.endpoint_url={moto.storage.endpoint_url}"]
    assert index(moto.url("in"), moto.url("lake"), "c", override=[*lake, *source]).images == 1
    assert {path.split("/")[1] for _, path in moto_faults.requests} == {moto.root.removeprefix("s3://")}
    assert not [path for _, path in moto_faults.requests if "/lake/" in path]
    with pytest.raises(AccessError, match="requester pays"):
        index(moto.url("in"), moto.url("lake"), "c", override=[*lake, source[0]])

"""What ``laketag index`` refuses, and what it prints."""

import io
from collections import Counter
from pathlib import Path

import pytest
from rich.console import Console

from laketag.jobs.index import index, show_summary
from laketag.pipeline.errors import SettingsError
from laketag.pipeline.flows.index_images import IndexSummary
from laketag.pipeline.lake.snapshots import Snapshot
from tests.end_to_end.command_line import one_line


def test_options_of_a_parquet_index_are_for_a_parquet_index(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"photos is not a \.parquet file.*; add --parquet, or leave"):
        index("photos", str(tmp_path), "c", uri_column="url")
    with pytest.raises(SettingsError, match="--class-from-folder is for folders of images"):
        index("photos.parquet", str(tmp_path), "c", class_from_folder=True)
    with pytest.raises(SettingsError, match="collection 'a/b' cannot be part of a path"):
        index("photos", str(tmp_path), "a/b")


def test_rules_for_folders_are_for_folders(tmp_path: Path) -> None:
    for rule in (
        {"exclude": ["thumbs"]},
        {"by_content": True},
        {"by_content": False},
        {"show_left_out": True},
    ):
        with pytest.raises(SettingsError, match="are for folders of images; leave them out"):
            index("photos.parquet", str(tmp_path), "c", **rule)


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
    assert lines[:3] == [
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


def test_folders_that_could_not_be_read_are_named() -> None:
    console = Console(file=io.StringIO(), width=100)
    summary = IndexSummary("c", Snapshot("T", ()), 2, 0, Counter({"folder not readable": 1}), ["a/locked/"])
    show_summary(summary, console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "left out, folder not readable  1" in text
    assert "folder not readable: a/locked/" in text


def shown(**counts: int) -> str:
    left_out = Counter(
        {f".{extension}": files for extension, files in counts.items() if extension != "images"}
    )
    console = Console(file=io.StringIO(), width=100)
    show_summary(IndexSummary("c", Snapshot("T", ()), counts["images"], 0, left_out), console)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_files_that_were_left_out_are_counted_by_extension() -> None:
    text = one_line(shown(images=1200, txt=3, **{f"e{number}": 1 for number in range(12)}))
    assert "images 1,200 left out, .txt 3 left out, .e0 1" in text
    assert "left out, other reasons 3" in text
    assert "add --parquet" not in text
    assert "no image was found; if the source holds a Parquet index, add --parquet" in shown(images=0)

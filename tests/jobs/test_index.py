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
    assert "left out, other extensions 3" in text
    assert "add --parquet" not in text
    assert "no image was found; if the source holds a Parquet index, add --parquet" in shown(images=0)

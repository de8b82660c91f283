"""A lake is where each client can name its tables, and refused elsewhere before anything is written."""

from pathlib import Path

import polars as pl
import pytest

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import SettingsError
from laketag.pipeline.lake.paths import locate_lake, open_lake
from laketag.pipeline.lake.tables import create_table, read_footer, read_table, write_table
from laketag.pipeline.store.atomic_write import write_bytes
from laketag.pipeline.store.files import read_json, remove_file
from laketag.pipeline.store.folders import list_files, list_folders, remove_folder
from laketag.schemas import ImageIndex
from tests.end_to_end.command_line import one_line, run_laketag
from tests.stores.store import Store

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
NAMES = ["a b+c%20d&e=f", "#?*[x]{y}", "é e\u0301 \u00a0 😀", "k" * 200, "~$,;:@!'\"<>|^`\\"]


@pytest.mark.parametrize(
    ("root", "said"),
    [
        ("s3://b/a//lake", "empty part"),
        ("s3://b//lake", "empty part"),
        ("s3://b/./lake", "empty part"),
        ("s3://b/a/../lake", "empty part"),
        ("s3://b/a\nb", "control character"),
        ("s3://b/x?versionId=1", "takes for a version"),
        (f"s3://b/{'é' * 301}", "more than 600 bytes"),
        ("gs://b/lake", "has the scheme gs://"),
        ("memory://lake", "has the scheme memory://"),
        ("https://host/lake", "has the scheme https://"),
        ("nosuch://lake", "has the scheme nosuch://"),
    ],
)
def test_a_root_that_some_client_cannot_name_is_refused(root: str, said: str) -> None:
    with pytest.raises(SettingsError, match=f"^root .*{said}"):
        open_lake(root, StorageSettings())


def test_hadoops_name_of_the_scheme_is_s3() -> None:
    assert locate_lake("s3a://bucket/lake/", StorageSettings()).root == "s3://bucket/lake"


@pytest.mark.parametrize("name", NAMES)
def test_every_other_root_works(store: Store, name: str) -> None:
    lake = open_lake(store.url(name), store.storage)
    table = lake.path("runs", "t.parquet")
    write_table(FRAME, table, ImageIndex, lake.storage)
    assert not create_table(FRAME.with_columns(uri=pl.lit("/b")), table, ImageIndex, lake.storage)
    assert read_table(table, ImageIndex, lake.storage).equals(FRAME)
    assert read_footer(table, lake.storage)["schema"] == "ImageIndex"
    write_bytes(lake.path("staging", "r", "run.json"), b"{}", lake.storage)
    assert read_json(lake.path("staging", "r", "run.json"), lake.storage) == {}
    assert list_files(lake.path("runs"), lake.storage) == [table]
    assert list_folders(lake.path("staging"), lake.storage) == ["r"]
    remove_file(table, lake.storage)
    assert list_files(lake.path("runs"), lake.storage) == []


@pytest.mark.parametrize("name", ["*", "[ab]", "?", "a", "{a,b}"])
def test_removing_a_folder_removes_what_is_literally_below_it(store: Store, name: str) -> None:
    kept = [store.put(key, b"x") for key in ("a/1", "b/2", "ab/3", "c") if not key.startswith(f"{name}/")]
    removed = [store.put(f"{name}/{key}", b"x") for key in ("y", "deep/er/z")]
    remove_folder(store.url(name), store.storage)
    assert list_files(store.root, store.storage, suffix="") == sorted(kept)
    assert removed
    remove_folder(store.url(name), store.storage)


@pytest.mark.parametrize("command", ["index", "describe", "label", "query"])
def test_all_commands_refuse_a_root_alike_and_write_nothing(
    moto: Store, tmp_path: Path, command: str
) -> None:
    (tmp_path / "classes.txt").write_text("cat\ndog\n")
    arguments = {
        "index": (str(tmp_path), "-c", "c"),
        "describe": (str(tmp_path / "classes.txt"), "-s", "s"),
        "label": ("-c", "c", "-s", "s"),
        "query": ("labels",),
    }
    root = moto.url("a//lake")
    outcome = run_laketag(command, *arguments[command], "--root", root, env=moto.env)
    assert outcome.code == 2
    assert f"root '{root}' has an empty part" in one_line(outcome.err)
    assert list_files(moto.root, moto.storage, suffix="") == []

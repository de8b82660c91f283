"""A lake that a later laketag wrote is refused by one sentence, whatever is done with it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import laketag
from laketag.pipeline.errors import InputError
from laketag.pipeline.lake.lake_format import FILE, FORMAT, check_format
from laketag.pipeline.store.atomic_write import write_bytes
from tests.stores.store import Store

REPOSITORY = Path(__file__).parents[2]
EARLIER = REPOSITORY / "tests" / "lakes" / "0.1.0"
LATER = r"was written by a later laketag, in format 2, and laketag .* reads format 1; install a newer laketag"


@pytest.fixture
def later_lake(tmp_path: Path) -> str:
    root = tmp_path / "lake"
    shutil.copytree(EARLIER / "lake", root)
    (root / FILE).write_text('{"format": 2}')
    return str(root)


@pytest.mark.parametrize(
    "command",
    [
        lambda root: laketag.index(str(EARLIER / "images"), root, "drawings"),
        lambda root: laketag.describe(str(EARLIER / "descriptions.json"), root, "drawings"),
        lambda root: laketag.label(root, "drawings", "drawings"),
        lambda root: laketag.label(root, "drawings", "drawings", dry_run=True),
        lambda root: laketag.compact(root),
        lambda root: laketag.runs(root).collect(),
        lambda root: laketag.sql(root, "SELECT * FROM labels").collect(),
    ],
    ids=["index", "describe", "label", "dry-run", "compact", "runs", "sql"],
)
def test_every_use_of_a_later_lake_is_refused_and_changes_nothing(
    later_lake: str, command: Callable[[str], object]
) -> None:
    before = sorted(Path(later_lake).rglob("*"))
    with pytest.raises(InputError, match=LATER):
        command(later_lake)
    assert sorted(Path(later_lake).rglob("*")) == before


def test_only_tests_open_a_lake_without_looking_at_its_format() -> None:
    code = [path for folder in ("jobs", "pipeline", "demo") for path in (REPOSITORY / folder).rglob("*.py")]
    assert [path.name for path in code if "locate_lake" in path.read_text()] == ["paths.py"]


def test_lakes_without_a_format_and_of_this_format_are_read_on_every_store(store: Store) -> None:
    check_format(store.root, store.storage)
    write_bytes(f"{store.root}/{FILE}", f'{{"format": {FORMAT}}}'.encode(), store.storage)
    check_format(store.root, store.storage)
    write_bytes(f"{store.root}/{FILE}", f'{{"format": {FORMAT + 1}}}'.encode(), store.storage)
    with pytest.raises(InputError, match=LATER):
        check_format(store.root, store.storage)

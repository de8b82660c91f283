"""The report on a stored description set, from its table alone."""

import io
import json
import math
from pathlib import Path

import polars as pl
import pytest
from rich.console import Console

from laketag.jobs.describe import describe
from laketag.pipeline.config import StorageSettings
from laketag.pipeline.descriptions.embedded_set import EmbeddedSet
from laketag.pipeline.errors import InputError, SettingsError
from laketag.pipeline.flows.report_descriptions import report_descriptions
from laketag.pipeline.lake.description_versions import write_descriptions
from laketag.pipeline.lake.paths import Lake, open_lake

LONG = "Bottles stand behind it, and it is open late at night when all the other places in the street have closed."
ROWS = [  # class, position, text, reason, direction of its embedding in degrees
    ("kettle", -1, "a photo of a kettle.", None, 0),
    ("kettle", 0, "a photo of a kettle.", None, 0),  # of a class without a text
    ("café", -1, "a photo of a café.", None, 90),
    ("café", 0, "It smells of coffee.", None, 92),
    ("café", 1, "Beside the counter it is warm.", "names_another_class", None),
    ("bar", -1, "a photo of a bar.", None, 100),
    ("bar", 0, LONG, None, 110),
    ("bar", 1, "It has tables.", None, 91),
    ("bar", 2, "A counter.", "names_another_class", None),
    ("bar", 3, "It has tables.", "exact_duplicate", None),
    ("counter", -1, "a photo of a counter.", None, 45),
    ("counter", 0, "It is long.", None, 45),
    ("counter", 1, "It is made of wood.", None, 44),
]  # fmt: skip


def vector(degrees: float | None) -> list[float] | None:
    return None if degrees is None else [math.cos(math.radians(degrees)), math.sin(math.radians(degrees))]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    opened = open_lake(str(tmp_path / "lake"), StorageSettings())
    made = EmbeddedSet(
        name="rooms",
        version="20260101T000000.000000Z-0123456789abcdef",
        backbone="tiny",
        backbone_sha256="0" * 64,
        label_prompt="a photo of a {}.",
    )
    names = ("class_name", "position", "text", "drop_reason", "embedding")
    rows = pl.DataFrame(
        [dict(zip(names, (*row, vector(degrees)), strict=True)) for *row, degrees in ROWS],
        schema_overrides={"position": pl.Int32, "drop_reason": pl.String, "embedding": pl.List(pl.Float32)},
    )
    rows = rows.with_columns(tokens=pl.lit(5, pl.Int32), truncated=pl.lit(False))
    write_descriptions(opened, made, rows, "0" * 64)
    return opened


def test_each_class_has_its_counts_and_its_nearest_classes_with_what_separates_them(lake: Lake) -> None:
    report = report_descriptions(lake, "rooms")
    assert [(one.class_name, one.kept, one.dropped) for one in report.classes] == [
        ("kettle", 0, {}),
        ("café", 1, {"names_another_class": 1}),
        ("bar", 2, {"names_another_class": 1, "exact_duplicate": 1}),
        ("counter", 2, {}),
    ]
    nearest = {one.class_name: one.nearest for one in report.classes}
    assert [near.class_name for near in nearest["bar"]] == ["café", "counter", "kettle"]
    cafe = nearest["bar"][0]
    assert cafe.cosine == pytest.approx(math.cos(math.radians(100.5 - 92)), abs=1e-4)
    gap = math.cos(math.radians(110 - 91)) - math.cos(math.radians(110 - 92))
    other = math.cos(math.radians(110 - 91)) - math.cos(math.radians(91 - 92))
    assert [(one.text, one.gap) for one in cafe.misleading] == [
        ("It has tables.", pytest.approx(other, abs=1e-4)),
        (LONG, pytest.approx(gap, abs=1e-4)),
    ]
    assert report.suggestions == (
        "the class name 'counter' is in 2 dropped texts of 2 other classes; if it is a common word, make it more specific, or "
        "switch off descriptions.drop_names_another_class",
    )


def test_the_report_is_printed_in_80_columns_and_as_json_without_writing_anything(
    lake: Lake, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(Path(lake.root).rglob("*"))
    console = Console(
        file=io.StringIO(), width=80, force_terminal=True, no_color=True, _environ={"TERM": "dumb"}
    )
    found = describe(None, lake.root, "rooms", report=True, console=console)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert all(len(line.rstrip()) <= 80 for line in lines)
    printed = " ".join(" ".join(lines).split())
    assert "kettle 0 none counter" in printed
    assert "bar 2 1 names_another_class, 1 exact_duplicate café 0.989" in printed
    assert "'café' and 'bar': cosine 0.989" in printed
    assert "bar, nearer to café, -0.054: It has tables." in printed
    assert "the class name 'counter' is in 2 dropped texts" in printed
    describe(None, lake.root, "rooms", report=True, as_json=True)
    written = json.loads(capsys.readouterr().out)
    assert written["report"] == json.loads(json.dumps(found.as_json()))
    assert (written["exit_code"], written["description_set"]) == (0, "rooms")
    assert sorted(Path(lake.root).rglob("*")) == before


def test_without_a_file_and_without_a_report_there_is_nothing_to_do(lake: Lake) -> None:
    with pytest.raises(SettingsError, match="name a file of class names or descriptions, or add --report"):
        describe(None, lake.root, "rooms")
    with pytest.raises(InputError, match="has no description set 'halls'; it has rooms"):
        describe(None, lake.root, "halls", report=True)

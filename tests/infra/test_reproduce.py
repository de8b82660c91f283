"""docs/reproduce.md: its numbers follow from what it states, and its commands are laketag's."""

import re
import shlex
import typing

import pytest

from laketag.jobs.cli import COMMANDS, load_command
from laketag.pipeline.images.layout_names import LayoutName
from laketag.pipeline.images.layouts import LAYOUTS
from tests.infra.manifests import PROJECT
from tests.infra.sizing import flop, read_stated

PAGE = PROJECT / "docs/reproduce.md"
SEEDS = 5
WCA_CROPS = {"ImageNet-1k validation": 60}
"""Of data sets on which WCA does not draw 100."""


def duration(time_s: float) -> str:
    """As the page rounds it."""
    for unit, seconds, most in (("s", 1, 90), ("min", 60, 90), ("h", 3600, 72)):
        if time_s < most * seconds:
            return f"{time_s / seconds:.0f} {unit}"
    return f"{time_s / 86400:.1f} days"


def times(name: str, images: int, cores_s: float) -> list[str]:
    """The times of a data set: ABS once on two cores and two GPUs, and the methods of the paper with all seeds on the GPUs."""
    stated = read_stated()
    speeds = [stated.utilisation * stated.peaks_flop_per_s[gpu] for gpu in ("L4", "H100")]
    tower, abs_flop = flop("ViT-B/16", 0), flop("ViT-B/16", 50)
    paper = SEEDS * (abs_flop + WCA_CROPS.get(name, 100) * tower)
    found = [images * cores_s, *(images * abs_flop / speed for speed in speeds)]
    return list(map(duration, [*found, *(images * paper / speed for speed in speeds)]))


def test_the_table_of_times_follows_from_the_rates_that_the_page_names() -> None:
    text = PAGE.read_text()
    (cores_s,) = re.findall(r"a measurement: ([\d.]+) s for an image", text)
    rows = re.findall(r"^\| ([^|]+) \| ([\d,]+) \| (.+ (?:s|min|h|days)) \|$", text, re.MULTILINE)
    assert len(rows) == 11
    for name, images, cells in rows[:-1]:
        assert cells.split(" | ") == times(name, int(images.replace(",", "")), float(cores_s)), name
    assert rows[-1][1] == f"{sum(int(images.replace(',', '')) for _, images, _ in rows[:-1]):,}"


def test_every_layout_is_in_the_table_with_the_published_number_of_images() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \| .*? \| ([\d,]*) ?\| ([\d,]*) ?\| ", PAGE.read_text(), re.MULTILINE)
    images = {name: int(count.replace(",", "")) if count.strip() else None for name, count, _ in rows}
    assert images == {name: LAYOUTS[name].images for name in typing.get_args(LayoutName)}


def test_commands_of_the_page_have_options_that_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKETAG_ROOT", "/lake")
    lines = [
        line.partition("  #")[0]
        for line in re.findall(r"(?:^| )laketag (.+?)(?:; done)?$", PAGE.read_text(), re.MULTILINE)
    ]
    commands = [
        words
        for line in lines
        if (words := shlex.split(line, comments=True))[0] in COMMANDS and len(words) > 2
    ]
    assert {words[0] for words in commands} >= {"index", "describe", "evaluate"}
    for name, *arguments in commands:
        load_command(name).make_context(name, arguments)

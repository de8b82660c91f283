"""docs/cluster.md and infra/README.md: their numbers follow from their formulas, and what they name exists."""

import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from laketag.jobs.submission.typed_command import read_command
from laketag.pipeline.config import Settings
from tests.infra.console_blocks import console_steps
from tests.infra.manifests import INFRA, PROJECT
from tests.infra.sizing import GUIDE, Stated, core_table, flop, read_stated, speed_table


def test_the_formula_gives_what_abs_was_counted_to_cost() -> None:
    # TFLOP of an image with 50 crops, from the count that the method's description in this project began with
    for backbone, tera in (("ViT-B/16", 2.0), ("ViT-B/32", 0.52), ("ViT-L/14", 8.6)):
        assert flop(backbone, 50) / 1e12 == pytest.approx(tera, rel=0.02)


@pytest.mark.parametrize("table", [speed_table, core_table])
def test_a_table_of_the_guide_follows_from_what_the_guide_states(
    table: Callable[[Stated], Iterator[str]],
) -> None:
    lines = list(table(read_stated()))
    assert "\n".join(lines) in GUIDE.read_text(), (
        "python -m tests.infra.sizing prints the tables as they must be"
    )


def test_numbers_of_the_example_are_those_of_the_table() -> None:
    text = GUIDE.read_text()
    rows = [line.split(" | ") for line in speed_table(read_stated()) if line.startswith("| ViT-B/16")]
    hours = {budget: float(cells[-1].rstrip(" |")) for _, budget, *cells in rows}
    for budget, said in (("`abs`, 50 crops", "0.60 · 15 = 9"), ("`abs`, 8 crops", "0.60 · 2.9 = 1.7")):
        assert said in text
        price, of_table, money = map(float, re.findall(r"[\d.]+", said))
        assert of_table == hours[budget]
        assert money == pytest.approx(price * of_table, rel=0.05)


@pytest.mark.parametrize("page", [GUIDE, INFRA / "README.md"], ids=lambda page: page.name)
def test_files_settings_and_links_that_a_page_names_exist(page: Path) -> None:
    text = page.read_text()
    named = re.findall(r"\b(?:rendered/)?((?:infra|docs|tests)/[\w./-]+\.\w+|ray_cluster\.yaml)", text)
    assert [name for name in named if not (PROJECT / name).exists()] == []
    for table, key in re.findall(r"`(run|decode|fetch|method|backbone)\.(\w+)`", text):
        assert key in type(getattr(Settings(), table)).model_fields, f"{table}.{key}"
    for target in re.findall(r"\]\((\.\./[\w./-]+)\)", text):
        assert (page.parent / target).exists(), target


def test_submitted_commands_are_laketags_and_bring_their_settings() -> None:
    """Those that reach a bucket: without settings the store's region and the models are not known there."""
    lines = re.findall(r"^\$ (laketag submit .* -- .*)$", GUIDE.read_text(), re.MULTILINE)
    on_a_cluster = [line for line in lines if "$root" in line or "s3://" in line]
    for line in on_a_cluster:
        options, _, command = line.partition(" -- ")
        assert "--settings" in options, line
        read_command(shlex.split(command))
    assert {line.partition(" -- ")[2].split()[0] for line in on_a_cluster} == {"index", "describe", "label"}


def test_commands_of_the_guide_pass_shellcheck(tmp_path: Path) -> None:
    """Its console commands, all in one script: they share variables."""
    commands = [step.command for step in console_steps()]
    (tmp_path / "script.sh").write_text("\n".join(["#!/bin/bash", *commands, ""]))
    checker = Path(sys.executable).with_name("shellcheck")
    excluded = "SC1091,SC2154,SC2174"  # my.env is the reader's; of ~/.laketag any mode will do
    result = subprocess.run(
        [str(checker), f"--exclude={excluded}", str(tmp_path / "script.sh")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout

"""The pages about clusters: their numbers follow from their formulas, and what they name exists."""

import re
import shlex
from pathlib import Path

import pytest

from laketag.jobs.submission.command import read_command
from laketag.pipeline.config import Settings
from tests.infra.console_blocks import GUIDE, console_steps
from tests.infra.manifests import INFRA, PROJECT
from tests.infra.programs import BIN, output_of
from tests.infra.sizing import PAGE, flop, read_stated, speed_table

PAGES = sorted([PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", INFRA / "README.md"])
PAGES += sorted((PROJECT / "docs").rglob("*.md"))


def test_the_formula_gives_the_counted_cost_of_abs() -> None:
    # TFLOP of an image with 50 crops, counted by hand from the method's description
    for backbone, tera in (("ViT-B/16", 2.0), ("ViT-B/32", 0.52), ("ViT-L/14", 8.6)):
        assert flop(backbone, 50) / 1e12 == pytest.approx(tera, rel=0.02)


def test_the_table_follows_from_the_numbers_that_its_page_states() -> None:
    table = "\n".join(speed_table(read_stated()))
    assert table in PAGE.read_text(), "python -m tests.infra.sizing prints the table as it must be"


def test_the_examples_costs_follow_from_the_table() -> None:
    text = PAGE.read_text()
    rows = [line.split(" | ") for line in speed_table(read_stated()) if line.startswith("| ViT-B/16")]
    hours = {budget: float(cells[-1].rstrip(" |")) for _, budget, *cells in rows}
    for budget, said in (("`abs`, 50 crops", "0.60 · 15 = 9"), ("`abs`, 8 crops", "0.60 · 2.9 = 1.7")):
        assert said in text
        price, of_table, money = map(float, re.findall(r"[\d.]+", said))
        assert of_table == hours[budget]
        assert money == pytest.approx(price * of_table, rel=0.05)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_files_settings_and_links_that_a_page_names_exist(page: Path) -> None:
    text = page.read_text()
    folders = "docs|infra|jobs|pipeline|schemas|tests"
    named = re.findall(rf"(?<![\w./])(?:rendered/)?((?:{folders})/[\w./-]+\.\w+|ray_cluster\.yaml)", text)
    assert [name for name in named if not (PROJECT / name).exists()] == []
    for table, key in re.findall(rf"`({'|'.join(Settings.model_fields)})\.(\w+)`", text):
        assert key in type(getattr(Settings(), table)).model_fields, f"{table}.{key}"
    links = re.findall(r"\]\((?!https?:|#)([\w./-]+)", text)
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_submitted_commands_are_laketags_and_bring_their_settings() -> None:
    """Without settings a job on a cluster knows neither the store's region nor the models."""
    lines = re.findall(r"^\$ (laketag submit .* -- .*)$", GUIDE.read_text(), re.MULTILINE)
    on_a_cluster = [line for line in lines if "$root" in line or "s3://" in line]
    for line in on_a_cluster:
        options, _, command = line.partition(" -- ")
        assert "--settings" in options, line
        read_command(shlex.split(command))
    assert {line.partition(" -- ")[2].split()[0] for line in on_a_cluster} == {"index", "describe", "label"}


def test_commands_of_the_guide_pass_shellcheck(tmp_path: Path) -> None:
    """All commands are checked as one script, because they share variables."""
    commands = [step.command for step in console_steps()]
    (tmp_path / "script.sh").write_text("\n".join(["#!/bin/bash", *commands, ""]))
    excluded = "SC1091,SC2154,SC2174"  # my.env is the reader's; of ~/.laketag any mode will do
    output_of(BIN / "shellcheck", f"--exclude={excluded}", tmp_path / "script.sh")

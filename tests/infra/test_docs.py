"""docs/cluster.md and infra/README.md: their numbers follow from their formulas, and what they name exists."""

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.config import Settings
from tests.infra.manifests import INFRA, PROJECT

GUIDE = PROJECT / "docs/cluster.md"
UTILISATION = 0.3


@dataclass(frozen=True)
class Tower:
    """A vision transformer's shape."""

    tokens: int
    width: int
    layers: int
    patch_px: int

    @property
    def block(self) -> float:
        """FLOP of one block: projections and MLP, then the two products of attention."""
        return 2 * (12 * self.tokens * self.width**2 + 2 * self.tokens**2 * self.width)

    @property
    def whole(self) -> float:
        """FLOP of one image."""
        return self.layers * self.block + 2 * (self.tokens - 1) * 3 * self.patch_px**2 * self.width


TOWERS = {
    "ViT-B/32": Tower(50, 768, 12, 32),
    "ViT-B/16": Tower(197, 768, 12, 16),
    "ViT-L/14": Tower(257, 1024, 24, 14),
}
DINO = TOWERS["ViT-B/16"]


def flop(backbone: str, crops: int) -> float:
    tower = TOWERS[backbone]
    return tower.whole if crops == 0 else (crops + 1) * tower.whole + crops * tower.block + DINO.whole


def number(text: str) -> float:
    return float(text.replace(",", ""))


def rows() -> list[list[str]]:
    found = [line for line in GUIDE.read_text().splitlines() if line.startswith("| ViT-")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in found]


def test_the_formula_gives_what_abs_was_counted_to_cost() -> None:
    # TFLOP of an image with 50 crops, from the count that the method's description in this project began with
    for backbone, tera in (("ViT-B/16", 2.0), ("ViT-B/32", 0.52), ("ViT-L/14", 8.6)):
        assert flop(backbone, 50) / 1e12 == pytest.approx(tera, rel=0.02)


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row[0]} {row[1]}")
def test_a_row_of_the_table_follows_from_the_formula(row: list[str]) -> None:
    backbone, budget, gflop, *speeds, hours = row
    said = GUIDE.read_text().split("bf16 peak")[1]
    peaks = [number(peak) for peak in re.findall(r"(?:L4|A10G|A100|H100) (\d+)", said)][:4]
    crops = 0 if "clip" in budget else int(re.findall(r"\d+", budget)[0])
    cost = flop(backbone, crops)
    assert number(gflop) * 1e9 == pytest.approx(cost, rel=0.06)  # two figures are given
    for peak, speed in zip(peaks, speeds, strict=True):
        assert number(speed) == pytest.approx(UTILISATION * peak * 1e12 / cost, rel=0.06)
    assert number(hours) == pytest.approx(1e6 / (UTILISATION * peaks[0] * 1e12 / cost) / 3600, rel=0.06)


def test_every_backbone_has_every_budget() -> None:
    budgets = {backbone: [row[1] for row in rows() if row[0] == backbone] for backbone in TOWERS}
    assert len({tuple(found) for found in budgets.values()}) == 1
    assert len(budgets["ViT-B/16"]) == 4


@pytest.mark.parametrize("page", [GUIDE, INFRA / "README.md"], ids=lambda page: page.name)
def test_files_settings_and_links_that_a_page_names_exist(page: Path) -> None:
    text = page.read_text()
    named = re.findall(r"\b(?:rendered/)?((?:infra|docs|tests)/[\w./-]+\.\w+|ray_cluster\.yaml)", text)
    assert [name for name in named if not (PROJECT / name).exists()] == []
    for table, key in re.findall(r"`(run|decode|fetch|method|backbone)\.(\w+)`", text):
        assert key in type(getattr(Settings(), table)).model_fields, f"{table}.{key}"
    for target in re.findall(r"\]\((\.\./[\w./-]+)\)", text):
        assert (page.parent / target).exists(), target


def test_what_was_not_run_says_so() -> None:
    for block in re.findall(r"```console\n(.*?)```", GUIDE.read_text(), re.DOTALL):
        cloud = re.search(r"^\$ .*\b(aws|kubectl|helm|docker|ray up|ray dashboard)\b", block, re.MULTILINE)
        prints = any(not line.startswith(("$", " ")) for line in block.splitlines() if line.strip())
        if cloud and prints:
            assert "# expected" in block, block


def test_scripts_in_the_guide_pass_shellcheck(tmp_path: Path) -> None:
    scripts = re.findall(r"```sh\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    assert scripts
    for script in scripts:
        (tmp_path / "script.sh").write_text(script)
        checker = Path(sys.executable).with_name("shellcheck")
        command = [
            str(checker),
            "--exclude=SC1091,SC2154",
            str(tmp_path / "script.sh"),
        ]  # my.env is the reader's
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout

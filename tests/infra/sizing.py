"""The table of docs/sizing.md, computed from the numbers that the page states: `python -m tests.infra.sizing` prints it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tests.infra.manifests import PROJECT

PAGE = PROJECT / "docs/sizing.md"
GPUS = ("L4", "A10G", "A100", "H100")
BUDGETS = {"`clip`": 0, "`abs`, 8 crops": 8, "`abs`, 16 crops": 16, "`abs`, 50 crops": 50}


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
    """FLOP of one image; no crops: plain `clip`."""
    tower = TOWERS[backbone]
    return tower.whole if crops == 0 else (crops + 1) * tower.whole + crops * tower.block + DINO.whole


@dataclass(frozen=True)
class Stated:
    """The numbers that the page states."""

    utilisation: float
    peaks_flop_per_s: dict[str, float]
    core_seconds_per_image: float

    def images_per_s(self, gpu: str, cost_flop: float) -> float:
        """Images per second of one GPU."""
        return self.utilisation * self.peaks_flop_per_s[gpu] / cost_flop


def read_stated() -> Stated:
    """The numbers that the page states now."""
    text = PAGE.read_text()
    (percent,) = re.findall(r"\*\*assumed utilisation of (\d+) %\*\*", text)
    (core_s,) = re.findall(r"\*\*c = ([\d.]+) s\*\*", text)
    peaks = {gpu: float(re.findall(rf"\b{gpu} (\d+)\b", text)[0]) * 1e12 for gpu in GPUS}
    return Stated(int(percent) / 100, peaks, float(core_s))


def speed_table(stated: Stated) -> Iterator[str]:
    """Images per second of each backbone, budget and GPU, and the cores and hours of the first GPU."""
    speeds = " | ".join(f"{gpu} images/s" for gpu in GPUS)
    yield f"| backbone | budget | GFLOP per image | {speeds} | cores for an {GPUS[0]} | {GPUS[0]} hours per million |"
    yield "|---" * (len(GPUS) + 5) + "|"
    for backbone in TOWERS:
        for budget, crops in BUDGETS.items():
            cost = flop(backbone, crops)
            numbers = [stated.images_per_s(gpu, cost) for gpu in GPUS]
            cores, hours = numbers[0] * stated.core_seconds_per_image, 1e6 / numbers[0] / 3600
            yield _row(backbone, budget, cost / 1e9, *numbers, cores, hours)


def _row(*cells: str | float) -> str:
    return f"| {' | '.join(cell if isinstance(cell, str) else _two_figures(cell) for cell in cells)} |"


def _two_figures(value: float) -> str:
    """The number with two significant figures; more would claim too much."""
    return f"{float(f'{value:.2g}'):,g}"


if __name__ == "__main__":
    print(*speed_table(read_stated()), sep="\n")

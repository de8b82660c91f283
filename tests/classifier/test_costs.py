"""Costs against the arithmetic of the architecture."""

import pytest

from laketag.pipeline.classifier.costs import count_costs
from laketag.pipeline.classifier.method_names import find_methods
from tests.classifier.evaluated import SETTINGS, all_methods, evaluated_models
from tests.models.tiny import tiny_config

CROPS, BLOCKS = 3, 3


def tower_flops(grid: int = 7, patch_px: int = 8, blocks: int = BLOCKS) -> float:
    """Of one view, with the last block for the CLS token alone: two operations for each weight and token."""
    config = tiny_config()
    width, dim = config["vision_cfg"]["width"], config["embed_dim"]
    tokens = grid * grid + 1

    def block(queries: int) -> float:
        projections = queries * width * width + 2 * tokens * width * width
        attention = 2 * queries * tokens * width
        return 2 * (projections + attention + queries * width * width + 2 * queries * width * 4 * width)

    embed = 2 * grid * grid * 3 * patch_px * patch_px * width
    return embed + (blocks - 1) * block(tokens) + block(1) + 2 * width * dim


def test_operations_are_those_of_the_towers_and_passes_count_crops() -> None:
    costs = count_costs(evaluated_models(), all_methods())
    assert costs["clip"].tflop * 1e12 == pytest.approx(tower_flops(), rel=1e-6)
    assert costs["wca"].tflop == pytest.approx((1 + 2 * CROPS) * costs["clip"].tflop)
    passes = {name: costs[name].tower_passes for name in ("clip", "cupl", "wca", "abs-raw", "abs:uniform")}
    assert passes == pytest.approx(
        {
            "clip": 1,
            "cupl": 1,
            "wca": 1 + 2 * CROPS,
            "abs-raw": CROPS,
            "abs:uniform": CROPS + CROPS / BLOCKS + (BLOCKS - 1) / BLOCKS,
        }
    )
    assert costs["abs-raw"].tflop > CROPS * costs["clip"].tflop, "the attention model counts"
    assert costs["abs-features"].tflop < costs["abs-raw"].tflop < costs["abs"].tflop
    assert costs["abs-plain"] == costs["abs"] == costs["abs-entropy"]
    saved = count_costs(evaluated_models(), find_methods(["abs-cascade", "abs-adaptive"], SETTINGS))
    cascade, adaptive = saved.values()
    nothing_more = cascade.of_part(0.0)
    assert (nothing_more.tower_passes, nothing_more.tflop) == pytest.approx((1, costs["clip"].tflop))
    assert cascade.of_part(1.0).tower_passes == pytest.approx(1 + costs["abs"].tower_passes)
    assert adaptive.of_part(1.0).tflop == costs["abs"].tflop
    crops = CROPS + CROPS / BLOCKS
    assert costs["abs"].tower_passes - adaptive.of_part(1 / 3).tower_passes == pytest.approx(2 / 3 * crops)
    assert costs["abs-mode"].tflop == pytest.approx(costs["abs"].tflop + costs["clip"].tflop)

"""What a method computes for one image: passes of the image tower, and floating-point operations."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from laketag.pipeline.classifier.method_names import BACKBONE, Method
from laketag.pipeline.classifier.shared_views import (
    EvaluatedModels,
    Part,
    SharedViews,
    parts_before,
    parts_of,
    varying_parts,
)

CONTROL_RGB_U8 = np.full((64, 64, 3), 128, np.uint8)


@dataclass(frozen=True)
class Cost:
    """Of one image, where no other method shares its views; texts are embedded once and do not count."""

    tower_passes: float
    """Blocks of the image tower that are run, divided by its number of blocks."""
    tflop: float
    """Multiplications and additions of the towers and the attention model, counted by torch, in units of 10¹²."""
    varying: float = 0.0
    """Which part of the passes a budget may save."""
    varying_tflop: float = 0.0
    """The same for the operations."""

    def of_part(self, fraction: float) -> "Cost":
        """Of an image that needed this fraction of what varies."""
        saved = 1 - fraction
        return Cost(self.tower_passes - saved * self.varying, self.tflop - saved * self.varying_tflop)


@torch.inference_mode()
def count_costs(models: EvaluatedModels, methods: tuple[Method, ...]) -> dict[str, Cost]:
    """The cost of each method, by its name.

    The operations of a single crop are counted on a grey picture and multiplied: views are of one size, whatever the image.
    """
    settings = models.settings
    crops = {
        "squares": settings.evaluate.wca_crops or 2 * settings.method.crops,
        "features": settings.method.crops,
        "raw": settings.method.crops,
    }
    single = settings.model_copy(
        update={
            "method": settings.method.model_copy(update={"crops": 1}),
            "evaluate": settings.evaluate.model_copy(update={"wca_crops": 1}),
        }
    )
    views = SharedViews(replace(models, settings=single, workers=None), [CONTROL_RGB_U8], [""])
    counted: dict[Part, float] = {}

    def count(part: Part) -> float:
        if part not in counted:
            for other in parts_before(part):
                count(other)
            with FlopCounterMode(display=False) as counter:
                views.make(part)
            counted[part] = float(counter.get_total_flops() * crops.get(part[0], 1))
        return counted[part]

    def sums(parts: set[Part]) -> tuple[float, float]:
        passes = sum((_tower_passes(part, models) * crops.get(part[0], 1) for part in parts), 0.0)
        return passes, sum(count(part) for part in parts) / 1e12

    return {
        method.name: Cost(*sums(parts_of(method, 0)), *sums(varying_parts(method, 0))) for method in methods
    }


def _tower_passes(part: Part, models: EvaluatedModels) -> float:
    """Of one view; the last block, which only the CLS token passes whole, counts as one."""
    match part[0]:
        case "tokens":
            return models.crop_block / models.backbone.tower.blocks
        case "features":
            return 1 - models.crop_block / models.backbone.tower.blocks
        case "attention" if part[1] == BACKBONE:
            blocks = models.backbone.tower.blocks
            return (blocks - models.crop_block) / blocks
        case "attention":
            return 0.0
        case _:
            return 1.0

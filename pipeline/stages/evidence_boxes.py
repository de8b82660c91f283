"""Boxes of a bounded image, which a classifier looks at, in the whole upright one."""

import math
from collections.abc import Mapping, Sequence
from typing import Any


def in_upright_image(box_xyxy_px: Sequence[int], row: Mapping[str, Any]) -> tuple[int, int, int, int]:
    """The box (x1 and y1 exclusive), rounded outward to whole pixels. The row has both sizes of the image."""
    across, down = row["width_px"] / row["bounded_width_px"], row["height_px"] / row["bounded_height_px"]
    x0, y0, x1, y1 = box_xyxy_px
    return (
        int(x0 * across),
        int(y0 * down),
        min(row["width_px"], math.ceil(x1 * across)),
        min(row["height_px"], math.ceil(y1 * down)),
    )

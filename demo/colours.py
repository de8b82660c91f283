"""The colours of a scene, drawn independently of the object's class."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

Rgb = tuple[int, int, int]
_CLEAR_DISTANCE = 110.0  # between the object's body and the ground, in RGB units of 0–255
_PART_DISTANCE = 80.0  # between the colours of one object


@dataclass(frozen=True)
class Palette:
    """The main colour of the ground and the three colours of the object."""

    ground: Rgb
    body: Rgb
    detail: Rgb
    accent: Rgb


def _as_rgb(colour: UInt8[np.ndarray, "3"]) -> Rgb:
    return int(colour[0]), int(colour[1]), int(colour[2])


def draw_palette(rng: np.random.Generator) -> Palette:
    """Return colours that are drawn uniformly until they differ clearly from each other."""
    chosen = [rng.integers(0, 256, 3).astype(np.float64)]
    for index in range(3):
        candidates = rng.integers(0, 256, (48, 3)).astype(np.float64)
        to_ground = np.linalg.norm(candidates - chosen[0], axis=1)
        margin = to_ground / _CLEAR_DISTANCE
        if index > 0:
            to_body = np.linalg.norm(candidates - chosen[1], axis=1)
            margin = np.minimum(to_ground, to_body) / _PART_DISTANCE
        clear = np.flatnonzero(margin >= 1.0)
        chosen.append(candidates[clear[0] if len(clear) else int(margin.argmax())])
    ground, body, detail, accent = (_as_rgb(colour.astype(np.uint8)) for colour in chosen)
    return Palette(ground, body, detail, accent)


def shade(rng: np.random.Generator, colour: Rgb, amount: float) -> Rgb:
    """Return a colour near the given one: each channel at most `amount` away, within 0–255."""
    shifted = np.clip(np.array(colour) + rng.uniform(-amount, amount, 3), 0, 255)
    return _as_rgb(shifted.astype(np.uint8))

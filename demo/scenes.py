"""Scenes: one object of a known class on a cluttered ground, fully determined by a seed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from PIL import Image, ImageDraw

from laketag.demo.colours import Palette, Rgb, draw_palette
from laketag.demo.geometry import place
from laketag.demo.grounds import GROUNDS, scatter_clutter
from laketag.demo.objects import OBJECTS

Difficulty = Literal["calm", "easy", "mid", "hard"]
DIFFICULTIES: tuple[Difficulty, ...] = get_args(Difficulty)


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How large the object is, how far from the middle, and what is drawn around it."""

    min_size_fraction: float  # longer side of the object's box / shorter side of the picture
    max_size_fraction: float
    min_offset: float = (
        0.0  # of the object's centre: a fraction of the distance from the middle to the border
    )
    faint_clutter: int  # maximum number of shapes in colours near the ground's
    strong_clutter: int  # maximum number of shapes in any colour
    max_rotation_deg: float = 20
    grounds: tuple[str, ...] = tuple(GROUNDS)


LAYOUTS: dict[Difficulty, Layout] = {
    "calm": Layout(
        min_size_fraction=0.55,
        max_size_fraction=0.8,
        faint_clutter=0,
        strong_clutter=0,
        max_rotation_deg=10,
        grounds=("plain", "clouds"),
    ),
    "easy": Layout(
        min_size_fraction=0.4,
        max_size_fraction=0.75,
        faint_clutter=6,
        strong_clutter=2,
    ),
    "mid": Layout(
        min_size_fraction=0.25,
        max_size_fraction=0.42,
        min_offset=0.4,
        faint_clutter=8,
        strong_clutter=3,
    ),
    "hard": Layout(
        min_size_fraction=0.18,
        max_size_fraction=0.36,
        min_offset=0.6,
        faint_clutter=10,
        strong_clutter=6,
    ),
}
"""The training starts with `calm` scenes and continues with `easy` ones; the model never sees `mid` or `hard`."""


@dataclass(frozen=True)
class Scene:
    """A picture, the place of its object, and how it was drawn."""

    picture: Image.Image  # RGB
    mask: Image.Image  # L: 255 where the object is
    box_xyxy_px: tuple[float, float, float, float]
    class_name: str
    difficulty: Difficulty
    ground: str
    palette: Palette


def draw_scene(
    seed: int | Sequence[int], class_name: str, difficulty: Difficulty, *, width_px: int, height_px: int
) -> Scene:
    """Return the scene of this seed; colours, ground and clutter of a seed are the same for every class."""
    colour_rng, ground_rng, object_rng = np.random.default_rng(seed).spawn(3)
    palette, layout = draw_palette(colour_rng), LAYOUTS[difficulty]
    ground = layout.grounds[int(ground_rng.integers(len(layout.grounds)))]
    picture = GROUNDS[ground](ground_rng, palette.ground, (width_px, height_px))
    scatter_clutter(
        ground_rng,
        picture,
        palette.ground,
        faint=int(ground_rng.integers(layout.faint_clutter + 1)),
        strong=int(ground_rng.integers(layout.strong_clutter // 2, layout.strong_clutter + 1)),
    )
    mask, box_xyxy_px = _draw_object(object_rng, picture, class_name, layout, palette)
    return Scene(picture, mask, box_xyxy_px, class_name, difficulty, ground, palette)


def _draw_object(
    rng: np.random.Generator, picture: Image.Image, class_name: str, layout: Layout, palette: Palette
) -> tuple[Image.Image, tuple[float, float, float, float]]:
    size_px = rng.uniform(layout.min_size_fraction, layout.max_size_fraction) * min(picture.size)
    parts, extent = place(
        OBJECTS[class_name](rng),
        rotation_deg=rng.uniform(-layout.max_rotation_deg, layout.max_rotation_deg),
        stretch=np.exp(rng.uniform(-0.12, 0.12)),
        mirrored=rng.random() < 0.5,
        size_px=size_px,
    )
    corner = _draw_corner(rng, layout, (picture.width - extent[0], picture.height - extent[1]))
    paints: dict[str, Rgb] = {"body": palette.body, "detail": palette.detail, "accent": palette.accent}
    mask = Image.new("L", picture.size)
    canvas, mask_canvas = ImageDraw.Draw(picture), ImageDraw.Draw(mask)
    for part in parts:
        corners = (part.points + corner).ravel().tolist()
        canvas.polygon(corners, fill=paints[part.paint])
        mask_canvas.polygon(corners, fill=255)
    return mask, (corner[0], corner[1], corner[0] + extent[0], corner[1] + extent[1])


def _draw_corner(rng: np.random.Generator, layout: Layout, room: tuple[float, float]) -> tuple[float, float]:
    """Return the upper left corner of the object's box, inside the picture and at least `min_offset` off its middle."""
    offset = rng.uniform(-1.0, 1.0, 2)
    longest = np.abs(offset).max()
    if longest < layout.min_offset:
        offset *= rng.uniform(layout.min_offset, 1.0) / max(longest, 1e-6)
    x, y = np.clip((offset + 1.0) / 2.0, 0.0, 1.0) * room
    return float(x), float(y)

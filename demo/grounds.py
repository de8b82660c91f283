"""Grounds and clutter: what is drawn behind the object, independently of its class."""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

from laketag.demo.colours import Rgb, shade
from laketag.demo.geometry import bar, ellipse, polygon, ring

Rng = np.random.Generator
Size = tuple[int, int]


def _grid_of_shades(rng: Rng, colour: Rgb, columns: int, rows: int, amount: float) -> Image.Image:
    shades = np.array(colour) + rng.uniform(-amount, amount, (rows, columns, 3))
    return Image.fromarray(np.clip(shades, 0, 255).astype(np.uint8))


def _plain(rng: Rng, colour: Rgb, size: Size) -> Image.Image:
    return Image.new("RGB", size, shade(rng, colour, 10))


def _clouds(rng: Rng, colour: Rgb, size: Size) -> Image.Image:
    cells = rng.integers(2, 7, 2)
    return _grid_of_shades(rng, colour, int(cells[0]), int(cells[1]), 50).resize(
        size, Image.Resampling.BICUBIC
    )


def _tiles(rng: Rng, colour: Rgb, size: Size) -> Image.Image:
    cells = rng.integers(3, 9, 2)
    return _grid_of_shades(rng, colour, int(cells[0]), int(cells[1]), 28).resize(
        size, Image.Resampling.NEAREST
    )


def _stripes(rng: Rng, colour: Rgb, size: Size) -> Image.Image:
    picture = Image.new("RGB", size, colour)
    canvas, other = ImageDraw.Draw(picture), shade(rng, colour, 45)
    step, slant = max(size) / rng.integers(4, 10), float(rng.uniform(-1, 1)) * size[1]
    upright = rng.random() < 0.5
    for start in np.arange(-max(size), 2 * max(size), step):
        line = bar(start, 0, start + slant, max(size), step / 2)
        canvas.polygon((line if upright else line[:, ::-1]).ravel().tolist(), fill=other)
    return picture


def _speckles(rng: Rng, colour: Rgb, size: Size) -> Image.Image:
    picture = Image.new("RGB", size, colour)
    canvas = ImageDraw.Draw(picture)
    for x, y, radius in rng.random((40, 3)) * (size[0], size[1], 0.035 * min(size)):
        canvas.ellipse((x - radius, y - radius, x + radius, y + radius), fill=shade(rng, colour, 55))
    return picture


GROUNDS: dict[str, Callable[[Rng, Rgb, Size], Image.Image]] = {
    "plain": _plain,
    "clouds": _clouds,
    "tiles": _tiles,
    "stripes": _stripes,
    "speckles": _speckles,
}


def scatter_clutter(rng: Rng, picture: Image.Image, colour: Rgb, *, faint: int, strong: int) -> None:
    """Draw small shapes on the picture: faint ones in colours near `colour`, strong ones in any colour."""
    canvas, short_side = ImageDraw.Draw(picture), min(picture.size)
    for index in range(faint + strong):
        size = rng.uniform(0.06, 0.2) * short_side
        x, y, angle = rng.uniform(0, picture.width), rng.uniform(0, picture.height), rng.uniform(0, np.pi)
        shape = (
            ellipse(0, 0, size / 2, size / 2),
            polygon(
                (-size / 2, -size / 2), (size / 2, -size / 2), (size / 2, size / 2), (-size / 2, size / 2)
            ),
            polygon((0, -size / 2), (size / 2, size / 2), (-size / 2, size / 2)),
            ring((0, 0), size / 2, size / 6),
            bar(-size, 0, size, 0, size / 5),
        )[int(rng.integers(5))]
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        fill = shade(rng, colour, 50) if index < faint else shade(rng, (128, 128, 128), 127)
        canvas.polygon((shape @ turn.T + (x, y)).ravel().tolist(), fill=fill)

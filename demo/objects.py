"""The sixteen kinds of objects: each function returns the parts of one, with small random variations."""

from collections.abc import Callable

import numpy as np

from laketag.demo.geometry import Part, arc, bar, box, ellipse, polygon, ring

Rng = np.random.Generator


def _star(rng: Rng) -> list[Part]:
    inner = rng.uniform(0.38, 0.48)
    angle = np.deg2rad(np.arange(10) * 36.0 - 90.0)
    radius = np.where(np.arange(10) % 2 == 0, 1.0, inner)
    return [Part(np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1))]


def _heart(rng: Rng) -> list[Part]:
    t = np.linspace(0.0, 2 * np.pi, 40, endpoint=False)
    x = 16 * np.sin(t) ** 3
    y = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t))
    return [Part(np.stack([x, y * rng.uniform(0.9, 1.1)], axis=1))]


def _moon(rng: Rng) -> list[Part]:
    depth = rng.uniform(0.42, 0.58)
    outer = arc((0, 0), (1, 1), 90, 270, 24)
    inner = arc((0, 0), (depth, 1), 270, 90, 24)
    return [Part(np.concatenate([outer, inner]))]


def _fish(rng: Rng) -> list[Part]:
    height = rng.uniform(0.42, 0.55)
    return [
        Part(polygon((0.45, 0.0), (1.15, -0.5), (1.0, 0.0), (1.15, 0.5)), "detail"),
        Part(polygon((-0.2, -height * 0.8), (0.25, -height - 0.25), (0.35, -height * 0.5)), "detail"),
        Part(ellipse(-0.15, 0, 0.85, height)),
        Part(ellipse(-0.62, -0.1, 0.11, 0.11), "accent"),
    ]


def _umbrella(rng: Rng) -> list[Part]:
    dome = arc((0, 0), (1, rng.uniform(0.75, 0.95)), 180, 360)
    scallops = [arc((x, 0), (0.25, 0.14), 0, -180, 8) for x in (0.75, 0.25, -0.25, -0.75)]
    hook = ring((-0.18, 0.78), 0.25, 0.14, 0, 180)
    return [
        Part(bar(0, -0.2, 0, 0.8, 0.14), "detail"),
        Part(hook, "detail"),
        Part(np.concatenate([dome, *scallops])),
        Part(bar(0, -1.05, 0, -0.7, 0.1), "detail"),
    ]


def _house(rng: Rng) -> list[Part]:
    door = rng.uniform(-0.4, 0.1)
    return [
        Part(box(0.35, -0.95, 0.6, -0.3), "accent"),
        Part(box(-0.75, -0.15, 0.75, 0.9)),
        Part(polygon((-1.0, -0.15), (0.0, -1.0), (1.0, -0.15)), "detail"),
        Part(box(door, 0.25, door + 0.34, 0.9), "accent"),
        Part(box(0.4 if door < 0 else -0.6, 0.1, 0.7 if door < 0 else -0.25, 0.42), "accent"),
    ]


def _car(rng: Rng) -> list[Part]:
    roof = rng.uniform(-0.55, -0.45)
    wheel = rng.uniform(0.22, 0.27)
    return [
        Part(polygon((-0.65, 0.0), (-0.4, roof), (0.3, roof), (0.6, 0.0))),
        Part(polygon((-1.05, 0.4), (-1.0, -0.05), (0.95, -0.05), (1.05, 0.1), (1.05, 0.4))),
        Part(polygon((-0.48, -0.05), (-0.32, roof + 0.1), (-0.08, roof + 0.1), (-0.08, -0.05)), "accent"),
        Part(polygon((0.02, -0.05), (0.02, roof + 0.1), (0.24, roof + 0.1), (0.42, -0.05)), "accent"),
        Part(ellipse(-0.58, 0.42, wheel, wheel), "detail"),
        Part(ellipse(0.58, 0.42, wheel, wheel), "detail"),
    ]


def _sailboat(rng: Rng) -> list[Part]:
    top = rng.uniform(-1.15, -0.95)
    return [
        Part(bar(0, top, 0, 0.5, 0.09), "detail"),
        Part(polygon((0.09, top + 0.05), (0.85, 0.3), (0.09, 0.3))),
        Part(polygon((-0.09, top + 0.3), (-0.09, 0.3), (-0.65, 0.3)), "accent"),
        Part(polygon((-1.0, 0.45), (1.0, 0.45), (0.65, 0.95), (-0.65, 0.95)), "detail"),
    ]


def _key(rng: Rng) -> list[Part]:
    tooth = rng.uniform(0.3, 0.42)
    return [
        Part(ring((-0.65, 0), 0.45, 0.19)),
        Part(bar(-0.25, 0, 1.1, 0, 0.19)),
        Part(box(0.92, 0, 1.1, tooth)),
        Part(box(0.58, 0, 0.76, tooth * 0.8)),
    ]


def _mushroom(rng: Rng) -> list[Part]:
    stem = rng.uniform(0.22, 0.3)
    return [
        Part(polygon((-stem, 0.0), (stem, 0.0), (stem + 0.1, 0.9), (-stem - 0.1, 0.9)), "detail"),
        Part(arc((0, 0.1), (1, 0.95), 180, 360)),
        Part(ellipse(-0.45, -0.25, 0.16, 0.14), "accent"),
        Part(ellipse(0.1, -0.5, 0.18, 0.15), "accent"),
        Part(ellipse(0.5, -0.15, 0.14, 0.12), "accent"),
    ]


def _mug(rng: Rng) -> list[Part]:
    taper = rng.uniform(0.0, 0.12)
    return [
        Part(ring((0.6, 0.0), 0.46, 0.17, -95, 95)),
        Part(polygon((-0.75, -0.75), (0.6, -0.75), (0.6 - taper, 0.75), (-0.75 + taper, 0.75))),
        Part(ellipse(-0.075, -0.75, 0.675, 0.16), "detail"),
    ]


def _butterfly(rng: Rng) -> list[Part]:
    lower = rng.uniform(0.34, 0.44)
    parts = []
    for side in (-1, 1):
        parts += [
            Part(
                polygon((0, -0.05), (side * 0.5, -0.85), (side * 1.0, -0.8), (side * 0.95, -0.15), (0, 0.15))
            ),
            Part(ellipse(side * 0.45, 0.42, lower, lower), "body"),
            Part(ellipse(side * 0.68, -0.48, 0.17, 0.17), "accent"),
            Part(bar(0, -0.5, side * 0.22, -0.95, 0.07), "detail"),
        ]
    return [*parts, Part(ellipse(0, 0.05, 0.12, 0.68), "detail")]


def _cactus(rng: Rng) -> list[Part]:
    left, right = rng.uniform(-0.15, 0.2), rng.uniform(-0.35, 0.1)
    return [
        Part(np.concatenate([arc((0, -0.8), (0.22, 0.22), 180, 360, 8), polygon((0.22, 1), (-0.22, 1))])),
        Part(bar(0, left + 0.3, -0.72, left + 0.3, 0.26)),
        Part(bar(-0.6, left + 0.42, -0.6, left - 0.35, 0.26)),
        Part(bar(0, right + 0.4, 0.72, right + 0.4, 0.26)),
        Part(bar(0.6, right + 0.52, 0.6, right - 0.25, 0.26)),
        Part(ellipse(0, -1.02, 0.13, 0.1), "accent"),
    ]


def _ladder(rng: Rng) -> list[Part]:
    width, rungs = rng.uniform(0.38, 0.48), int(rng.integers(4, 6))
    rails = [Part(bar(x, -1, x * 1.15, 1, 0.15)) for x in (-width, width)]
    return [Part(bar(-width, y, width, y, 0.13), "detail") for y in np.linspace(-0.75, 0.75, rungs)] + rails


def _snowman(rng: Rng) -> list[Part]:
    head = rng.uniform(0.32, 0.38)
    return [
        Part(ellipse(0, 0.5, 0.55, 0.5)),
        Part(ellipse(0, -0.25, head, head)),
        Part(box(-0.42, -0.62, 0.42, -0.5), "detail"),
        Part(box(-0.25, -1.0, 0.25, -0.55), "detail"),
        Part(polygon((0, -0.3), (0.0, -0.18), (0.45, -0.2)), "accent"),
        Part(ellipse(0, 0.3, 0.08, 0.08), "accent"),
        Part(ellipse(0, 0.6, 0.08, 0.08), "accent"),
    ]


def _hourglass(rng: Rng) -> list[Part]:
    waist = rng.uniform(0.06, 0.12)
    return [
        Part(polygon((-0.6, -0.85), (0.6, -0.85), (waist, 0), (0.6, 0.85), (-0.6, 0.85), (-waist, 0))),
        Part(polygon((-0.4, 0.8), (0.0, 0.35), (0.4, 0.8)), "accent"),
        Part(box(-0.75, -1.0, 0.75, -0.8), "detail"),
        Part(box(-0.75, 0.8, 0.75, 1.0), "detail"),
    ]


OBJECTS: dict[str, Callable[[Rng], list[Part]]] = {
    "butterfly": _butterfly,
    "cactus": _cactus,
    "car": _car,
    "fish": _fish,
    "heart": _heart,
    "hourglass": _hourglass,
    "house": _house,
    "key": _key,
    "ladder": _ladder,
    "moon": _moon,
    "mug": _mug,
    "mushroom": _mushroom,
    "sailboat": _sailboat,
    "snowman": _snowman,
    "star": _star,
    "umbrella": _umbrella,
}
"""The function that draws each class, in the order of the class names."""

CLASS_NAMES = tuple(OBJECTS)

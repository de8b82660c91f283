"""Polygons for drawing: every shape is an array of points in object units, with y pointing down."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

Paint = Literal["body", "detail", "accent"]
Point = tuple[float, float]


@dataclass(frozen=True)
class Part:
    """One filled polygon of an object, painted in one of the object's three colours."""

    points: Float[np.ndarray, "points 2"]
    paint: Paint = "body"


def polygon(*points: Point) -> Float[np.ndarray, "points 2"]:
    """Return the polygon through the given corners."""
    return np.array(points, dtype=np.float64)


def box(x0: float, y0: float, x1: float, y1: float) -> Float[np.ndarray, "points 2"]:
    """Return an upright rectangle."""
    return polygon((x0, y0), (x1, y0), (x1, y1), (x0, y1))


def arc(
    centre: Point, radii: Point, start_deg: float, end_deg: float, steps: int = 20
) -> Float[np.ndarray, "points 2"]:
    """Return points on an ellipse; 0° is to the right of the centre, 90° below it."""
    angle = np.deg2rad(np.linspace(start_deg, end_deg, steps))
    return np.stack([centre[0] + radii[0] * np.cos(angle), centre[1] + radii[1] * np.sin(angle)], axis=1)


def ellipse(cx: float, cy: float, rx: float, ry: float) -> Float[np.ndarray, "points 2"]:
    """Return a full ellipse."""
    return arc((cx, cy), (rx, ry), 0.0, 345.0, 24)


def ring(
    centre: Point, radius: float, width: float, start_deg: float = 0.0, end_deg: float = 360.0
) -> Float[np.ndarray, "points 2"]:
    """Return a band along a circle, as one polygon that follows the rim and returns along the hole."""
    outer = arc(centre, (radius, radius), start_deg, end_deg)
    inner = arc(centre, (radius - width, radius - width), end_deg, start_deg)
    return np.concatenate([outer, inner])


def bar(x0: float, y0: float, x1: float, y1: float, width: float) -> Float[np.ndarray, "points 2"]:
    """Return a straight line of the given width."""
    along = np.array([x1 - x0, y1 - y0])
    across = np.array([-along[1], along[0]]) / np.linalg.norm(along) * width / 2
    start, end = np.array([x0, y0]), np.array([x1, y1])
    return np.stack([start + across, end + across, end - across, start - across])


def place(
    parts: list[Part], *, rotation_deg: float, stretch: float, mirrored: bool, size_px: float
) -> tuple[list[Part], Point]:
    """Turn, stretch and scale the parts: their bounding box starts at (0, 0), and its longer side is `size_px`.

    Returns the parts in pixels and the width and height of the box in pixels.
    """
    angle = np.deg2rad(rotation_deg)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    flip_and_stretch = np.diag([(-1.0 if mirrored else 1.0) * stretch, 1.0 / stretch])
    matrix = turn @ flip_and_stretch
    moved = [part.points @ matrix.T for part in parts]
    every = np.concatenate(moved)
    low, extent = every.min(axis=0), np.ptp(every, axis=0)
    scale = size_px / extent.max()
    placed = [Part((points - low) * scale, part.paint) for points, part in zip(moved, parts, strict=True)]
    return placed, (float(extent[0] * scale), float(extent[1] * scale))

"""Colour profiles as cameras, printers and encoders embed them, written by hand (ICC.1:2001-04)."""

import struct
from collections.abc import Callable

import numpy as np

D65 = (0.3127, 0.3290)
D50_XYZ = np.array([0.9642, 1.0, 0.8249])
SRGB = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
DISPLAY_P3 = ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06))
ADOBE_RGB = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
PROPHOTO = ((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001))
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])

Colours = np.ndarray
"""Rows of channels from 0 to 1."""


def srgb_to_linear(values: Colours) -> Colours:
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(values: Colours) -> Colours:
    values = np.clip(values, 0, 1)
    return np.where(values <= 0.0031308, values * 12.92, 1.055 * values ** (1 / 2.4) - 0.055)


def rgb_to_xyz(primaries: tuple[tuple[float, float], ...], white: tuple[float, float] = D65) -> np.ndarray:
    """The matrix from linear RGB with these primaries (x, y) to XYZ as seen under D50, as profiles have it."""

    def xyz(x: float, y: float) -> np.ndarray:
        return np.array([x / y, 1, (1 - x - y) / y])

    columns = np.stack([xyz(*primary) for primary in primaries], axis=1)
    matrix = columns * np.linalg.solve(columns, xyz(*white))
    scale = np.diag((BRADFORD @ D50_XYZ) / (BRADFORD @ xyz(*white)))
    return np.linalg.inv(BRADFORD) @ scale @ BRADFORD @ matrix


def matrix_profile(xyz: np.ndarray, to_linear: Callable[[Colours], Colours]) -> bytes:
    """A profile of a camera or a monitor: a tone curve and a matrix."""
    curve = _curve(to_linear)
    colours = {name: _xyz(column) for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), xyz.T, strict=True)}
    return _profile(b"mntr", b"RGB ", b"XYZ ", colours | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve))


def grey_profile(to_linear: Callable[[Colours], Colours]) -> bytes:
    return _profile(b"mntr", b"GRAY", b"XYZ ", {b"kTRC": _curve(to_linear)})


def table_profile(space: bytes, channels: int, steps: int, to_srgb: Callable[[Colours], Colours]) -> bytes:
    """A profile of a press or of XYB: a table from a grid of colours to Lab, between which is interpolated."""
    axis = np.linspace(0, 1, steps)
    grid = np.stack(np.meshgrid(*[axis] * channels, indexing="ij"), axis=-1).reshape(-1, channels)
    lab = _lab(srgb_to_linear(np.clip(to_srgb(grid), 0, 1)) @ rgb_to_xyz(SRGB).T)
    encoded = np.clip(np.rint((lab + np.array([0, 128, 128])) * [65280 / 100, 256, 256]), 0, 65535).astype(
        ">u2"
    )
    ends = struct.pack(">2H", 0, 65535)
    identity = b"".join(struct.pack(">i", 65536 * (row == column)) for row in range(3) for column in range(3))
    head = struct.pack(">4s4x4B", b"mft2", channels, 3, steps, 0) + identity + struct.pack(">2H", 2, 2)
    return _profile(b"prtr", space, b"Lab ", {b"A2B0": head + ends * channels + encoded.tobytes() + ends * 3})


def _lab(xyz: np.ndarray) -> np.ndarray:
    shares = np.maximum(xyz / D50_XYZ, 0)
    x, y, z = np.where(shares > 216 / 24389, np.cbrt(shares), (24389 / 27 * shares + 16) / 116).T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def _curve(to_linear: Callable[[Colours], Colours]) -> bytes:
    values = np.rint(to_linear(np.linspace(0, 1, 1024)) * 65535).astype(">u2")
    return struct.pack(">4s4xI", b"curv", len(values)) + values.tobytes()


def _xyz(values: np.ndarray) -> bytes:
    return struct.pack(">4s4x3i", b"XYZ ", *(round(float(value) * 65536) for value in values))


def _profile(kind: bytes, space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    text = struct.pack(">4s4xI", b"desc", 5) + b"test\0" + bytes(78)
    tags = {b"desc": text, b"cprt": b"text\0\0\0\0none\0", b"wtpt": _xyz(D50_XYZ)} | tags
    table, data = b"", b""
    for name, content in tags.items():
        table += struct.pack(">4s2I", name, 132 + 12 * len(tags) + len(data), len(content))
        data += content + bytes(-len(content) % 4)
    size = 132 + len(table) + len(data)
    head = struct.pack(">I4sI4s4s4s12x4s28x", size, b"lcms", 0x02400000, kind, space, connection, b"acsp")
    return (
        head
        + struct.pack(">3i", *(round(float(v) * 65536) for v in D50_XYZ))
        + bytes(48)
        + struct.pack(">I", len(tags))
        + table
        + data
    )

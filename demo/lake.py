"""The demo's lake: drawn scenes of several sizes and formats in class folders, some broken on purpose.

``python -m laketag.demo.lake FOLDER --pictures 2000`` draws as many as are wanted.
"""

import argparse
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from PIL import Image

from laketag.demo.objects import CLASS_NAMES
from laketag.demo.scenes import Difficulty, Scene, draw_scene

Fault = Literal["empty", "truncated", "undecodable", "unsupported", "no_image"]
FAULTS: tuple[Fault, ...] = get_args(Fault)
"""Named like the reasons in the label table; `no_image` is a text file, which an index leaves out."""

_SEED_SPACE = 14  # first number of every scene's seed; training, dev and test scenes have other numbers
_MIX: tuple[Difficulty, ...] = ("hard", "mid", "easy", "hard", "mid")
_SIZES_PX = ((160, 160), (200, 150), (240, 320), (320, 240), (320, 320), (240, 426), (480, 320), (640, 400))
_FORMATS = ("jpg", "jpg", "png", "webp")
_OVERSAMPLING = 2  # scenes are drawn larger and reduced, so that edges are smooth
_FAULT_SUFFIXES: dict[Fault, str] = {"undecodable": "png", "no_image": "txt"}  # the others are .jpg


@dataclass(frozen=True, kw_only=True)
class DemoImage:
    """One file of the lake and its true class, difficulty, object box and fault."""

    path: Path
    class_name: str  # also the name of the folder
    difficulty: Difficulty | None = None  # None: broken on purpose
    box_xyxy_px: tuple[float, float, float, float] | None = None  # of the object
    fault: Fault | None = None


def write_demo_images(folder: Path, *, count: int = 200, seed: int = 0) -> list[DemoImage]:
    """Write `count` pictures and one file with each fault into class folders; a seed always gives the same lake."""
    rng = np.random.default_rng((_SEED_SPACE, seed))
    written = []
    for index in range(count):
        class_name, difficulty = CLASS_NAMES[index % len(CLASS_NAMES)], _MIX[index % len(_MIX)]
        width_px, height_px = _SIZES_PX[int(rng.integers(len(_SIZES_PX)))]
        suffix = _FORMATS[int(rng.integers(len(_FORMATS)))]
        path = folder / class_name / f"{difficulty}-{index:04d}.{suffix}"
        scene = draw_scene(
            (_SEED_SPACE, seed, index),
            class_name,
            difficulty,
            width_px=width_px * _OVERSAMPLING,
            height_px=height_px * _OVERSAMPLING,
        )
        picture, box_xyxy_px = _reduce(scene)
        path.parent.mkdir(parents=True, exist_ok=True)
        picture.save(path, quality=85)
        written.append(
            DemoImage(path=path, class_name=class_name, difficulty=difficulty, box_xyxy_px=box_xyxy_px)
        )
    return written + _write_broken_files(folder, seed)


def _reduce(scene: Scene) -> tuple[Image.Image, tuple[float, float, float, float]]:
    x0, y0, x1, y1 = (edge / _OVERSAMPLING for edge in scene.box_xyxy_px)
    return scene.picture.reduce(_OVERSAMPLING), (x0, y0, x1, y1)


def _write_broken_files(folder: Path, seed: int) -> list[DemoImage]:
    written = []
    for index, fault in enumerate(FAULTS):
        class_name = CLASS_NAMES[(3 * index + 2) % len(CLASS_NAMES)]
        path = folder / class_name / f"broken-{fault}.{_FAULT_SUFFIXES.get(fault, 'jpg')}"
        scene = draw_scene((_SEED_SPACE, seed, index, 1), class_name, "easy", width_px=240, height_px=180)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_BROKEN_BYTES[fault](scene.picture))
        written.append(DemoImage(path=path, class_name=class_name, fault=fault))
    return written


def _encode(picture: Image.Image, kind: str) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind)
    return file.getvalue()


def _half_a_jpeg(picture: Image.Image) -> bytes:
    whole = _encode(picture, "JPEG")
    return whole[: len(whole) // 2]


def _png_with_spoilt_pixels(picture: Image.Image) -> bytes:
    whole = bytearray(_encode(picture, "PNG"))
    middle = len(whole) // 2
    whole[middle : middle + 64] = bytes(64)
    return bytes(whole)


_BROKEN_BYTES: dict[Fault, Callable[[Image.Image], bytes]] = {
    "empty": lambda _: b"",
    "truncated": _half_a_jpeg,
    "undecodable": _png_with_spoilt_pixels,
    "unsupported": lambda _: b"<!doctype html><title>404</title><p>The picture has moved.</p>\n",
    "no_image": lambda _: b"A note that somebody left between the pictures.\n",
}


def main() -> None:
    """Draw pictures into a folder."""
    parser = argparse.ArgumentParser(prog="python -m laketag.demo.lake", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pictures", type=int, default=200)
    arguments = parser.parse_args()
    write_demo_images(arguments.folder, count=arguments.pictures)


if __name__ == "__main__":
    main()

"""Large pictures are shrunk as Pillow shrinks them, within little memory."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from laketag.pipeline.images.shrinking import RESIZE_GAP, shrink
from laketag.pipeline.images.transparency import over_white

SIDE_PX = 6_000
LIMIT_BYTES = 400 << 20
WEBP_LIMIT_BYTES = 480 << 20
"""Pillow's decoder of WebP holds two canvases and hands over a third, 412 MiB; with Pillow's own copy there were 549."""
DECODE_WITHIN = """
import resource, sys
from pathlib import Path
from laketag.pipeline.config import DecodeSettings
from laketag.pipeline.images.decode import decode

data = Path(sys.argv[1]).read_bytes()
pages = int(Path("/proc/self/statm").read_text().split()[0])
limit = pages * resource.getpagesize() + int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
rgb = decode(data, DecodeSettings()).rgb_u8
print(rgb.shape, rgb[256, 0].tolist(), rgb[256, -1].tolist())
"""


def noise(mode: str, width: int, height: int) -> Image.Image:
    channels = len(Image.new(mode, (1, 1)).getbands())
    values = np.random.default_rng(1).integers(0, 256, (height, width, channels), dtype=np.uint8)
    if mode == "P":
        picture = Image.fromarray(values[..., 0])
        picture.putpalette(np.random.default_rng(2).integers(0, 256, 768, dtype=np.uint8).tobytes())
        return picture
    return Image.merge(mode, [Image.fromarray(values[..., channel].copy()) for channel in range(channels)])


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGB", "RGBA", "CMYK", "LAB"])
@pytest.mark.parametrize("size", [(1700, 1900), (4001, 997), (37, 90_001)])
@pytest.mark.parametrize("shrunk", [(96, 105), (400, 100), (8, 1000)])
def test_bands_give_the_pixels_that_the_whole_picture_gives(
    mode: str, size: tuple[int, int], shrunk: tuple[int, int]
) -> None:
    picture = noise(mode, *size)
    if mode == "P":
        picture.info["transparency"] = bytes(range(256))
    shrunk = (min(shrunk[0], size[0]), min(shrunk[1], size[1]))
    whole = over_white(picture).resize(shrunk, Image.Resampling.LANCZOS, reducing_gap=RESIZE_GAP)
    assert np.array_equal(np.asarray(shrink(picture, *shrunk)), np.asarray(whole))


def test_a_picture_of_the_right_size_is_only_made_opaque() -> None:
    picture = noise("RGBA", 30, 20)
    assert np.array_equal(np.asarray(shrink(picture, 30, 20)), np.asarray(over_white(picture)))


def save_giant(kind: str, file: Path) -> None:
    """A PNG of 36 megapixels in some kB, black on the left and white on the right."""
    values = np.zeros((SIDE_PX, SIDE_PX), np.uint8)
    values[:, SIDE_PX // 2 :] = 255
    grey, opaque = Image.fromarray(values), Image.new("L", (SIDE_PX, SIDE_PX), 255)
    if kind == "1 bit":
        grey.convert("1").save(file)
    elif kind == "16 bits":
        Image.fromarray(values.astype(np.uint16) * 257).save(file)
    elif kind == "palette with alphas":
        grey.putpalette([level for level in range(256) for _ in range(3)])
        grey.save(file, transparency=bytes([255, 0] * 127 + [0, 255]))
    elif kind == "WebP":
        Image.merge("RGB", [grey] * 3).save(file, "WEBP", lossless=True, quality=0, method=0)
    else:
        Image.merge(kind, [*[grey] * (len(kind) - 1), opaque]).save(file)


@pytest.mark.parametrize("kind", ["1 bit", "16 bits", "palette with alphas", "LA", "RGBA", "WebP"])
def test_a_giant_below_the_limit_of_pixels_needs_little_memory(kind: str, tmp_path: Path) -> None:
    save_giant(kind, tmp_path / "giant.png")
    limit = WEBP_LIMIT_BYTES if kind == "WebP" else LIMIT_BYTES
    found = subprocess.run(
        [sys.executable, "-c", DECODE_WITHIN, str(tmp_path / "giant.png"), str(limit)],
        capture_output=True,
        text=True,
    )
    assert found.stdout.strip() == "(512, 512, 3) [0, 0, 0] [255, 255, 255]", found.stderr

"""Peak memory of decoding one picture of 13,000 × 13,000 pixels, for each format and kind of pixel."""

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table

SIDE_PX = 13_000
HEIC_SIDE_PX = 6_000
"""The encoder of HEIC takes no more than 142 megapixels, and minutes for them."""
DECODE = """
import io, sys
from pathlib import Path
from PIL import Image
from laketag.pipeline.config import DecodeSettings
from laketag.pipeline.images.decode import decode
from tests.peak_resident import peak_resident_bytes

small = io.BytesIO()
Image.new("RGB", (64, 64)).save(small, "PNG")
decode(small.getvalue(), DecodeSettings())  # imports what decoding needs
data = Path(sys.argv[1]).read_bytes()
before_bytes = peak_resident_bytes()
decode(data, DecodeSettings())
print(peak_resident_bytes() - before_bytes)
"""


def run() -> None:
    """Decode each picture in a process of its own, and print by how much it has grown."""
    table = Table("picture", "pixels", "file, MB", "peak, MiB", "bytes a pixel")
    with tempfile.TemporaryDirectory(prefix="laketag-bench-") as folder:
        file = Path(folder) / "picture"
        for name, pixels, save in pictures():
            save(file)
            done = subprocess.run(
                [sys.executable, "-c", DECODE, str(file)], check=True, capture_output=True, text=True
            )
            grown_bytes = int(done.stdout)
            sizes = (f"{file.stat().st_size / 1e6:,.1f}", f"{grown_bytes / 2**20:,.0f}")
            table.add_row(name, f"{pixels:,}", *sizes, f"{grown_bytes / pixels:.1f}")
    Console().print(table)


def pictures() -> Iterator[tuple[str, int, Callable[[Path], None]]]:
    """Name, pixels, and what writes the picture into a file."""
    Image.MAX_IMAGE_PIXELS = None
    grey, rgb = Image.new("L", (SIDE_PX, SIDE_PX), 120), Image.new("RGB", (SIDE_PX, SIDE_PX), (200, 30, 40))
    alphas = {"transparency": bytes([200] * 256)}
    progressive = {"quality": 30, "progressive": True}
    kinds: list[tuple[str, Callable[[], Image.Image], str, dict[str, Any]]] = [
        ("1 bit, PNG", lambda: grey.convert("1"), "PNG", {}),
        ("palette with alphas, PNG", lambda: grey.convert("P"), "PNG", alphas),
        ("grey, 16 bits, PNG", lambda: wide(np.uint16), "PNG", {}),
        ("RGB, PNG", lambda: rgb, "PNG", {"compress_level": 1}),
        ("RGBA, PNG", lambda: rgb.convert("RGBA"), "PNG", {"compress_level": 1}),
        ("JPEG", lambda: rgb, "JPEG", {"quality": 30}),
        ("progressive JPEG, 4:2:0", lambda: rgb, "JPEG", progressive),
        ("progressive JPEG, 4:4:4", lambda: rgb, "JPEG", progressive | {"subsampling": 0}),
        ("1 bit, TIFF", lambda: grey.convert("1"), "TIFF", {"compression": "group4"}),
        ("RGB, TIFF", lambda: rgb, "TIFF", {"compression": "tiff_lzw"}),
        ("floats, TIFF", lambda: wide(np.float32), "TIFF", {"compression": "tiff_lzw"}),
        ("GIF", lambda: grey.convert("P"), "GIF", {}),
        ("RGB, BMP", lambda: rgb, "BMP", {}),
        ("WebP", lambda: rgb, "WEBP", {"quality": 20, "method": 0}),
        ("WebP, lossless", lambda: rgb, "WEBP", {"lossless": True, "quality": 0, "method": 0}),
        ("AVIF", lambda: rgb, "AVIF", {"quality": 30, "speed": 10}),
    ]
    for name, make, kind, options in kinds:
        yield name, SIDE_PX**2, partial(save, make, kind, options)
    yield "JPEG XL", SIDE_PX**2, partial(save_jpeg_xl, rgb)
    yield "HEIC", HEIC_SIDE_PX**2, partial(save_heic, rgb.crop((0, 0, HEIC_SIDE_PX, HEIC_SIDE_PX)))


def save(make: Callable[[], Image.Image], kind: str, options: dict[str, Any], file: Path) -> None:
    make().save(file, kind, **options)


def save_jpeg_xl(rgb: Image.Image, file: Path) -> None:
    import pylibjxl

    file.write_bytes(pylibjxl.encode(np.asarray(rgb), effort=1))


def save_heic(rgb: Image.Image, file: Path) -> None:
    import pillow_heif

    with file.open("wb") as sink:
        pillow_heif.from_pillow(rgb).save(sink, quality=20)


def wide(kind: type[np.uint16 | np.float32]) -> Image.Image:
    """A grey picture of 16 or 32 bits a pixel."""
    return Image.fromarray(np.full((SIDE_PX, SIDE_PX), 0.5 if kind is np.float32 else 30_000, kind))

"""The image formats that are read: a closed list, told by content and never by name.

Pillow's own search for a format reaches parsers that hostile bytes should not (EPS starts Ghostscript), and its limit on
pixels is a global. So each format's own class is used.
"""

import io
import re
from collections.abc import Callable
from typing import Any, Literal

from PIL import ImageFile, features
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.PpmImagePlugin import PpmImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

Opener = Callable[[Any], ImageFile.ImageFile]

IMAGE_EXTENSIONS = frozenset(
    ("jpg", "jpeg", "jpe", "jfif", "png", "apng", "gif", "bmp", "dib", "tif", "tiff")
    + ("ppm", "pgm", "pbm", "pnm")
    + (("webp",) if features.check("webp") else ())
    + (("avif",) if features.check("avif") else ())
)
"""File name extensions, in lower case, of what is read here."""

_FORMATS: tuple[tuple[re.Pattern[bytes], Opener], ...] = (
    (re.compile(rb"\xff\xd8\xff"), JpegImageFile),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), PngImageFile),
    (re.compile(rb"GIF8[79]a"), GifImageFile),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), WebPImageFile),
    (re.compile(rb"BM.{12}[\x0c\x10\x28\x34\x38\x40\x6c\x7c]\0\0\0", re.DOTALL), BmpImageFile),
    (re.compile(rb"II[*+]\0|MM\0[*+]"), TiffImageFile),
    (re.compile(rb"P[1-6]\s"), PpmImageFile),
    (re.compile(rb"....ftypavi[fs]|....ftyp(?:mif1|miaf).{4,40}avif", re.DOTALL), AvifImageFile),
)
_EARLY = re.compile(
    r"truncat|\bEOF\b|end of (file|data)|not enough|premature|incomplete|read past|reached", re.IGNORECASE
)


def sniff_format(head: bytes) -> Opener | None:
    """What opens an image that begins so; None if it is none that we read."""
    return next((opener for pattern, opener in _FORMATS if pattern.match(head)), None)


def ends_early(data: bytes | memoryview, error: Exception) -> bool:
    """Whether the picture failed because its bytes stop before it does."""
    if isinstance(error, EOFError) or _EARLY.search(str(error)):
        return True
    head, tail = bytes(data[:12]), bytes(data[-4096:])
    if head.startswith(b"\xff\xd8"):
        return b"\xff\xd9" not in tail
    if head.startswith(b"\x89PNG"):
        return b"IEND" not in tail
    if head.startswith(b"GIF8"):
        return not tail.rstrip(b"\0").endswith(b";")
    if head.startswith(b"RIFF"):
        return int.from_bytes(head[4:8], "little") + 8 > len(data)
    if head[4:8] == b"ftyp":
        return _end_of_boxes(data) > len(data)
    return head[:2] in (b"II", b"MM") and _end_of_strips(data) > len(data)


def _end_of_boxes(data: bytes | memoryview) -> int:
    """Where the last box of an AVIF file says that it ends."""
    position = 0
    while position + 8 <= len(data):
        size_bytes = int.from_bytes(data[position : position + 4], "big")
        if size_bytes == 0:  # to the end of the file
            return len(data)
        if size_bytes == 1:
            size_bytes = int.from_bytes(data[position + 8 : position + 16], "big")
        position += max(size_bytes, 8)
    return position


def _end_of_strips(data: bytes | memoryview) -> int:
    """Where a TIFF says that its directory, or else its last strip or tile, lies."""
    order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"
    is_big = 43 in (data[2], data[3])
    directory = int.from_bytes(data[8:16] if is_big else data[4:8], order)
    if directory >= len(data):
        return directory + 1
    try:
        with TiffImageFile(io.BytesIO(data)) as image:
            tags = image.tag_v2
            strips = zip(_numbers(tags, 273, 324), _numbers(tags, 279, 325), strict=False)
            return max((start + size_bytes for start, size_bytes in strips), default=0)
    except Exception:  # noqa: BLE001  # a broken directory says nothing about the end
        return 0


def _numbers(tags: Any, *names: int) -> tuple[int, ...]:
    """The first tag of these that there is, offsets or byte counts of strips or of tiles."""
    return next((tuple(tags[name]) for name in names if name in tags), ())

"""The image formats that are read: a closed list, recognised by content and never by name.

Pillow's own search for a format tries parsers that hostile bytes must not reach (EPS starts Ghostscript), and its limit on
pixels is a global variable. So each format's own class is used.
"""

import re
from collections.abc import Callable
from typing import Any

from PIL import ImageFile, features
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PpmImagePlugin import PpmImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from laketag.pipeline.images.optional_formats import open_heif, open_jpeg_xl
from laketag.pipeline.images.png_chunks import open_png

Opener = Callable[[Any], ImageFile.ImageFile]


class _FirstFrame(WebPImageFile):
    """The first picture of a WebP file, for which Pillow's decoder is used once.

    It holds two canvases, which go before Pillow copies the picture: 12 bytes a pixel at once instead of 16.
    """

    def _get_next(self) -> tuple[bytes, int, int]:
        frame = super()._get_next()
        self._decoder = None
        return frame


SNIFFED_BYTES = 64
"""How many of the first bytes show the format."""

IMAGE_EXTENSIONS = frozenset(
    ("jpg", "jpeg", "jpe", "jfif", "png", "apng", "gif", "bmp", "dib", "tif", "tiff")
    + ("ppm", "pgm", "pbm", "pnm", "heic", "heif", "hif", "jxl")
    + (("webp",) if features.check("webp") else ())
    + (("avif",) if features.check("avif") else ())
)
"""File name extensions, in lower case, of what is read here, or would be with an extra that its failure names."""

_FORMATS: tuple[tuple[re.Pattern[bytes], Opener], ...] = (
    (re.compile(rb"\xff\xd8\xff"), JpegImageFile),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), open_png),
    (re.compile(rb"GIF8[79]a"), GifImageFile),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), _FirstFrame),
    (re.compile(rb"BM.{12}[\x0c\x10\x28\x34\x38\x40\x6c\x7c]\0\0\0", re.DOTALL), BmpImageFile),
    (re.compile(rb"II[*+]\0|MM\0[*+]"), TiffImageFile),
    (re.compile(rb"P[1-6]\s+[0-9#]"), PpmImageFile),
    (re.compile(rb"....ftypavi[fs]|....ftyp(?:mif1|miaf).{4,40}avif", re.DOTALL), AvifImageFile),
    (re.compile(rb"....ftyp(?:hei[cmsx]|hev[cmsx]|mif1|msf1)", re.DOTALL), open_heif),
    (re.compile(rb"\xff\x0a|\0\0\0\x0cJXL \r\n\x87\n"), open_jpeg_xl),
)
_SHORT_BEGINNING = re.compile(rb"II[*+]\0|MM\0[*+]|P[1-6]|\xff\x0a")
"""How TIFF, PNM and bare JPEG XL codestreams begin. Raw photographs and microscopes write TIFF under extensions of their own,
and begin with a thumbnail; texts and other data begin like the other two."""
_EARLY = re.compile(
    r"truncat|\bEOF\b|end of (file|data)|not enough|premature|incomplete|read past|reached", re.IGNORECASE
)


def sniff_format(head: bytes) -> Opener | None:
    """The class that opens an image with these first bytes; None if the format is not read."""
    return next((opener for pattern, opener in _FORMATS if pattern.match(head)), None)


def is_image(head: bytes, extension: str) -> bool:
    """Whether a file with these SNIFFED_BYTES is an image although its extension (without the dot) is not that of one.

    Beginnings that other files share (TIFF, PNM, bare JPEG XL codestreams) count only where there is no extension.
    """
    return sniff_format(head) is not None and not (extension and _SHORT_BEGINNING.match(head))


def ends_early(data: bytes | memoryview, error: Exception) -> bool:
    """Whether the picture failed because bytes are missing at the end of the file.

    The decoder says so in words; JPEG, PNG, GIF and WebP also have an end that can be looked for. In other formats a file
    that is cut where the decoder has no words for it counts as broken.
    """
    if isinstance(error, EOFError) or _EARLY.search(str(error)):
        return True
    head, tail = bytes(data[:8]), bytes(data[-4096:])
    if head.startswith(b"\xff\xd8"):
        return b"\xff\xd9" not in tail
    if head.startswith(b"\x89PNG"):
        return b"IEND" not in tail
    if head.startswith(b"GIF8"):
        return not tail.rstrip(b"\0").endswith(b";")
    return head.startswith(b"RIFF") and int.from_bytes(head[4:8], "little") + 8 > len(data)

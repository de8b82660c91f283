"""Opening a PNG by the chunks that its pixels need, so that a damaged or oversized chunk beside them loses no picture.

Pillow refuses a whole PNG for a text that unpacks to more than 1 MB, or for a wrong checksum in any chunk. Viewers, which use
libpng, skip such chunks; so does this.
"""

import io
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from PIL.PngImagePlugin import PngImageFile, PngStream

from laketag.pipeline.images.colour_profiles import MAX_PROFILE_BYTES

SIGNATURE_BYTES = 8
READ_CHUNKS = {b"tRNS": 256, b"eXIf": 1 << 20, b"iCCP": 1 << 22, b"sBIT": 4}
"""What is read besides the critical chunks: transparency, orientation, colour profile, significant bits; with most bytes."""
ORIENTATION_TEXTS = (b"XML:com.adobe.xmp\0", b"Raw profile type exif\0")
"""The texts in which Photoshop and ImageMagick state the orientation; no other text is read."""


def open_png(file: BinaryIO) -> PngImageFile:
    """The PNG's first picture; ``info`` has ``icc_profile`` and ``significant_bits`` where the file states them."""
    data = memoryview(file.read())
    critical: list[memoryview] = []
    ancillary: dict[bytes, memoryview] = {}
    for chunk in _chunks(data):
        name, content = bytes(chunk[4:8]), chunk[8:-4]
        if not name[:1].islower():
            critical.append(chunk)
        elif _is_read(name, content) and zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:]):
            ancillary.setdefault(name, chunk)
    profile, bits = (ancillary.pop(name, memoryview(b""))[8:-4] for name in (b"iCCP", b"sBIT"))
    readable = [chunk for chunk in ancillary.values() if _is_readable(critical[:1], chunk)]
    parts = [data[:SIGNATURE_BYTES], *critical[:1], *readable, *critical[1:]]
    image = PngImageFile(io.BytesIO(b"".join(parts)))
    image.info["icc_profile"] = _unpack_profile(bytes(profile))
    image.info["significant_bits"] = max(bits, default=0)
    return image


def _chunks(data: memoryview) -> Iterator[memoryview]:
    """Each chunk with its length, name, content and checksum; the last one may be cut short."""
    start = SIGNATURE_BYTES
    while start < len(data):
        end = start + 12 + int.from_bytes(data[start : start + 4])
        yield data[start:end]
        start = end


def _is_read(name: bytes, content: memoryview) -> bool:
    if name in READ_CHUNKS:
        return len(content) <= READ_CHUNKS[name]
    return bytes(content[:32]).startswith(ORIENTATION_TEXTS)


def _is_readable(header: list[memoryview], chunk: memoryview) -> bool:
    """Whether Pillow reads the chunk behind the picture's header, within its own limits."""
    stream = PngStream(io.BytesIO(b"".join([*header, chunk])))
    try:
        for part in [*header, chunk]:
            stream.crc(bytes(part[4:8]), stream.call(*stream.read()))
    except Exception:  # noqa: BLE001  # parsers meet hostile bytes with any exception there is
        return False
    return True


def _unpack_profile(content: bytes) -> bytes | None:
    """The profile in an iCCP chunk (its name, a zero byte, the method, zlib data); None if it is broken or too large."""
    _, _, packed = content.partition(b"\0")
    unpacker = zlib.decompressobj()
    try:
        profile = unpacker.decompress(packed[1:], MAX_PROFILE_BYTES)
    except zlib.error:
        return None
    return profile if unpacker.eof else None

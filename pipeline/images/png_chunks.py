"""Opening a PNG by the chunks that its pixels need, so that a damaged or oversized chunk beside them loses no picture.

Pillow refuses a whole PNG for a text that unpacks to more than 1 MB, or for a wrong checksum in any chunk. Viewers, which use
libpng, skip such chunks; so does this.
"""

import io
import struct
import zlib
from array import array
from collections.abc import Iterator
from typing import BinaryIO

from PIL.PngImagePlugin import PngImageFile, PngStream

from laketag.pipeline.images.colour_profiles import MAX_PROFILE_BYTES

SIGNATURE_BYTES = 8
EMPTY_CHUNK_BYTES = 12
READ_CHUNKS = {b"tRNS": 256, b"eXIf": 1 << 20, b"iCCP": 1 << 22, b"sBIT": 4}
"""What is read besides the critical chunks: transparency, orientation, colour profile, significant bits; with most bytes."""
TEXTS = (b"iTXt", b"tEXt", b"zTXt")
ORIENTATION_TEXTS = (b"XML:com.adobe.xmp\0", b"Raw profile type exif\0")
"""The texts in which Photoshop and ImageMagick state the orientation; no other text is read."""


def open_png(file: BinaryIO) -> PngImageFile:
    """The PNG's first picture; ``info`` has ``icc_profile`` and ``significant_bits`` where the file states them."""
    data = memoryview(file.read())
    critical = array("Q")  # start and end of each run of chunks; a file may have one for every 25 bytes
    ancillary: dict[bytes, memoryview] = {}
    for name, start, end in _chunks(data):
        if name[:1].islower():
            if name not in ancillary and _is_read(name, data[start:end]):
                ancillary[name] = data[start:end]
        elif name == b"IDAT" and end - start == EMPTY_CHUNK_BYTES:
            continue
        elif len(critical) > 2 and critical[-1] == start:  # the header stays alone
            critical[-1] = end
        else:
            critical.extend((start, end))
    profile, bits = (ancillary.pop(name, memoryview(b""))[8:-4] for name in (b"iCCP", b"sBIT"))
    runs = (data[start:end] for start, end in zip(critical[::2], critical[1::2], strict=True))
    header = next(runs, memoryview(b""))
    readable = [chunk for chunk in ancillary.values() if _is_readable(header, chunk)]
    parts = io.BytesIO()
    parts.writelines((data[:SIGNATURE_BYTES], header, *readable))
    parts.writelines(runs)
    parts.seek(0)
    image = PngImageFile(parts)
    image.info["icc_profile"] = _unpack_profile(bytes(profile))
    image.info["significant_bits"] = max(bits, default=0)
    return image


def _chunks(data: memoryview) -> Iterator[tuple[bytes, int, int]]:
    """The name, start and end of each chunk (length, name, content, checksum); the last one may be cut short."""
    start = SIGNATURE_BYTES
    while start + 8 <= len(data):
        size_bytes, name = struct.unpack_from(">I4s", data, start)
        end = start + EMPTY_CHUNK_BYTES + size_bytes
        yield name, start, end
        start = end


def _is_read(name: bytes, chunk: memoryview) -> bool:
    """Whether the chunk is of those that are read besides the critical ones, and its checksum is right."""
    content = chunk[8:-4]
    is_orientation = name in TEXTS and bytes(content[:32]).startswith(ORIENTATION_TEXTS)
    is_wanted = is_orientation or len(content) <= READ_CHUNKS.get(name, -1)
    return is_wanted and zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:])


def _is_readable(header: memoryview, chunk: memoryview) -> bool:
    """Whether Pillow reads the chunk behind the picture's header, within its own limits."""
    stream = PngStream(io.BytesIO(b"".join([header, chunk])))
    try:
        for part in (header, chunk):
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

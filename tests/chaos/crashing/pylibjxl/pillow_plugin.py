"""The name of the fault follows the signature of JPEG XL in the file."""

import os
import signal
from typing import BinaryIO

from PIL import Image

STEP_BYTES = 64 << 20
MOST_BYTES = 6 << 30
"""More than the limit of the test, and not more than a machine without limit has."""


def JxlImageFile(file: BinaryIO) -> Image.Image:  # noqa: N802  # the real one is a class
    fault = file.read()[2:].decode()
    if fault == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if fault == "memory":
        raise MemoryError
    if fault == "grow":  # as a decoder of a very large picture does
        held = [bytearray(b"1") * STEP_BYTES for _ in range(MOST_BYTES // STEP_BYTES)]
        raise AssertionError(f"nothing has limited {len(held)} steps")
    return Image.new("RGB", (8, 8), "red")

"""Formats whose decoders are extras of laketag: HEIC of phones, and JPEG XL."""

from typing import BinaryIO

from PIL import ImageFile

from laketag.pipeline.images.image_failure import ImageFailure

DECODERS = {"pillow_heif": ("heic", "heif", "hif"), "pylibjxl": ("jxl",)}
"""The package that decodes files with these extensions."""


def open_heif(file: BinaryIO) -> ImageFile.ImageFile:
    """The primary picture of a HEIC or HEIF file, turned upright by its decoder."""
    try:
        from pillow_heif import HeifImageFile
    except ImportError:
        raise ImageFailure("unsupported", "HEIC needs its decoder; install laketag[heif]") from None
    picture: ImageFile.ImageFile = HeifImageFile(file)  # type: ignore[no-untyped-call]  # the package types only its functions
    return picture


def open_jpeg_xl(file: BinaryIO) -> ImageFile.ImageFile:
    """The picture of a JPEG XL file, turned upright by its decoder.

    pylibjxl, because it tells the size before it decodes: pillow-jxl-plugin filled 5.7 GB from a file of 53 kB.
    """
    try:
        from pylibjxl.pillow_plugin import JxlImageFile
    except ImportError:
        raise ImageFailure("unsupported", "JPEG XL needs its decoder; install laketag[jxl]") from None
    picture: ImageFile.ImageFile = JxlImageFile(file)
    return picture

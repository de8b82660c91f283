"""Embedded colour profiles: what a picture's numbers mean, converted to sRGB."""

import io
from functools import cache, lru_cache

import numpy as np
from PIL import Image, ImageCms

SAME_LEVELS = 2
"""A profile that moves no colour by more levels of 255 is sRGB; the many sRGB profiles differ from each other by 1."""
CACHED_PROFILES = 16
"""Conversions kept in a process: a lake's cameras have few profiles, and building a conversion takes milliseconds."""
MAX_PROFILE_BYTES = 1 << 22
"""A larger profile is ignored; profiles of printers, the largest in use, have up to 3 MB."""
MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}
"""Pillow's mode of the pictures that a profile's colour space is for."""


def to_srgb(picture: Image.Image, profile: object) -> Image.Image:
    """The picture (mode L, RGB, CMYK or LAB) in mode RGB and sRGB.

    ``profile`` is what Pillow found in the file, if anything. One that is broken, or for other channels than the picture has,
    is ignored, as viewers do.
    """
    if picture.mode == "LAB":
        return _lab_conversion().apply(picture)
    conversion = _conversion(profile) if isinstance(profile, bytes) else None
    if conversion is None:
        return picture.convert("RGB")
    if picture.mode == "L" and conversion.input_mode == "RGB":  # a grey photograph in a colour space
        picture = picture.convert("RGB")
    return conversion.apply(picture) if picture.mode == conversion.input_mode else picture.convert("RGB")


@lru_cache(CACHED_PROFILES)
def _conversion(profile: bytes) -> ImageCms.ImageCmsTransform | None:
    """What converts the profile's colours; None if nothing does, or if it would change nothing."""
    if len(profile) > MAX_PROFILE_BYTES:
        return None
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = MODES[source.profile.xcolor_space.strip()]
        conversion = _build(source, mode)
    except (KeyError, OSError, ValueError):
        return None
    if mode == "CMYK":
        return conversion
    sample = _sample_colours().convert(mode)
    moved = np.asarray(conversion.apply(sample), np.int16) - np.asarray(sample.convert("RGB"), np.int16)
    return conversion if np.abs(moved).max() > SAME_LEVELS else None


@cache
def _lab_conversion() -> ImageCms.ImageCmsTransform:
    return _build(ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")), "LAB")


def _build(source: ImageCms.ImageCmsProfile, mode: str) -> ImageCms.ImageCmsTransform:
    """Colours stay what they are and black stays black, as in Photoshop's default."""
    return ImageCms.ImageCmsTransform(
        source,
        ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")),
        mode,
        "RGB",
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )


@cache
def _sample_colours() -> Image.Image:
    """Each colour of a grid with 16 steps a channel; its greys are among them."""
    levels = np.arange(0, 256, 17, dtype=np.uint8)
    colours = np.stack(np.meshgrid(levels, levels, levels), axis=-1)
    return Image.fromarray(colours.reshape(1, -1, 3))

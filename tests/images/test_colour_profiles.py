"""Embedded colour profiles become sRGB, each against numbers that the test computes itself."""

import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from laketag.pipeline.images.colour_profiles import to_srgb
from tests.images.decoding import encode, pixels
from tests.images.icc_profiles import (
    ADOBE_RGB,
    DISPLAY_P3,
    PROPHOTO,
    SRGB,
    grey_profile,
    linear_to_srgb,
    matrix_profile,
    rgb_to_xyz,
    srgb_to_linear,
    table_profile,
)

PICTURE = np.random.default_rng(3).integers(0, 256, (6, 8, 3), dtype=np.uint8).repeat(16, 0).repeat(16, 1)
"""Blocks of many colours, larger than a JPEG's."""
BUILT_IN_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
PROFILES = {
    "Display P3": (DISPLAY_P3, srgb_to_linear),
    "Adobe RGB": (ADOBE_RGB, lambda values: values**2.19921875),
    "ProPhoto": (PROPHOTO, lambda values: values**1.8),
}


def decoded(picture: Image.Image | np.ndarray, kind: str, **options: object) -> np.ndarray:
    """What decode makes of the picture saved in the format, as integers."""
    return pixels(encode(picture, kind, **options)).astype(int)


def in_srgb(name: str, rgb_u8: np.ndarray) -> np.ndarray:
    """The colours by the formulas of their colour space, without a profile."""
    primaries, to_linear = PROFILES[name]
    to_linear_srgb = np.linalg.solve(rgb_to_xyz(SRGB), rgb_to_xyz(primaries))
    return np.rint(255 * linear_to_srgb(to_linear(rgb_u8 / 255) @ to_linear_srgb.T)).astype(int)


def profile_of(name: str) -> bytes:
    primaries, to_linear = PROFILES[name]
    return matrix_profile(rgb_to_xyz(primaries), to_linear)


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize(("kind", "options"), [("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True})])
def test_a_wide_colour_space_becomes_srgb(name: str, kind: str, options: dict[str, object]) -> None:
    found = decoded(PICTURE, kind, icc_profile=profile_of(name), **options)
    assert np.abs(found - in_srgb(name, PICTURE)).max() <= 2
    assert np.abs(found - PICTURE).mean() > 8, "and it matters"


@pytest.mark.parametrize(
    ("kind", "options"),
    [("JPEG", {"quality": 95, "subsampling": 0}), ("AVIF", {"quality": 95}), ("JPEG", {"progressive": True})],
)
def test_photographs_of_phones_become_srgb(kind: str, options: dict[str, object]) -> None:
    found = decoded(PICTURE, kind, icc_profile=profile_of("Display P3"), **options)
    centres = (slice(8, None, 16), slice(8, None, 16))
    expected = in_srgb("Display P3", PICTURE)
    assert (
        np.abs(found - expected)[centres].mean() < np.abs(PICTURE.astype(int) - expected)[centres].mean() / 3
    )


def test_a_profile_with_two_colours_swapped_swaps_them_back() -> None:
    profile = BUILT_IN_SRGB
    red, blue = (profile.index(name, 128) for name in (b"rXYZ", b"bXYZ"))
    swapped = bytearray(profile)
    swapped[red : red + 4], swapped[blue : blue + 4] = b"bXYZ", b"rXYZ"
    assert np.abs(decoded(PICTURE[..., ::-1].copy(), "PNG", icc_profile=bytes(swapped)) - PICTURE).max() <= 2


@pytest.mark.parametrize(
    "profile", [BUILT_IN_SRGB, matrix_profile(rgb_to_xyz(SRGB), srgb_to_linear)], ids=["lcms", "by hand"]
)
@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA"])
def test_srgb_changes_no_bit(profile: bytes, mode: str) -> None:
    picture = Image.fromarray(PICTURE).convert(mode)
    assert np.array_equal(decoded(picture, "PNG", icc_profile=profile), decoded(picture, "PNG"))


def test_grey_profiles_count_for_greys() -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    for mode in ("L", "LA"):
        found = decoded(
            Image.fromarray(grey).convert(mode),
            "PNG",
            icc_profile=grey_profile(lambda values: values**1.8),
        )
        assert np.abs(found[..., 0] - 255 * linear_to_srgb((grey / 255) ** 1.8)).max() <= 2, mode
        assert (found.min(axis=-1) == found.max(axis=-1)).all()


def test_a_grey_photograph_in_a_wide_colour_space_keeps_its_tones() -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    expected = in_srgb("ProPhoto", np.stack([grey] * 3, axis=-1))
    for kind, options in (("JPEG", {"quality": 100}), ("TIFF", {})):
        found = decoded(grey, kind, icc_profile=profile_of("ProPhoto"), **options)
        assert np.abs(found - expected).mean() < 1.5, kind


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_inks_are_mixed_as_their_profile_says(kind: str) -> None:
    def press(inks: np.ndarray) -> np.ndarray:
        return (1 - 0.8 * inks[:, :3] ** 1.2) * (1 - inks[:, 3:] ** 1.2)

    inks = np.concatenate([PICTURE, PICTURE[..., :1] // 2], axis=-1)
    expected = 255 * press(inks.reshape(-1, 4) / 255).reshape(PICTURE.shape)
    options = {"quality": 100} if kind == "JPEG" else {}
    picture = Image.fromarray(inks, "CMYK")
    found = decoded(picture, kind, icc_profile=table_profile(b"CMYK", 4, 11, press), **options)
    assert np.abs(found - expected).mean() < 2
    assert np.abs(decoded(picture, kind, **options) - expected).mean() > 10


def test_a_jpeg_in_xyb_is_seen() -> None:
    """JPEGs of jpegli: XYB in place of RGB, and a profile that says so (libjxl, opsin_params.h and jpegli's ScaleXYB)."""
    absorb = np.array([[0.30, 0.622, 0.078], [0.23, 0.692, 0.078], [0.24342269, 0.20476745, 0.55180987]])
    bias, offset, scale = (
        0.0037930733,
        np.array([0.015386134, 0, 0.27770459]),
        np.array([22.995788804, 1.183000077, 1.502141333]),
    )

    def to_xyb(rgb: np.ndarray) -> np.ndarray:
        long, middle, short = np.moveaxis(
            np.cbrt(srgb_to_linear(rgb) @ absorb.T + bias) - np.cbrt(bias), -1, 0
        )
        y = (long + middle) / 2
        return (np.stack([(long - middle) / 2, y, short - y], axis=-1) + offset) * scale

    def to_rgb(xyb: np.ndarray) -> np.ndarray:
        x, y, b = np.moveaxis(xyb / scale - offset, -1, 0)
        cones = (np.stack([y + x, y - x, b + y], axis=-1) + np.cbrt(bias)) ** 3 - bias
        return linear_to_srgb(np.linalg.solve(absorb, cones.T).T)

    assert np.abs(to_rgb(to_xyb(PICTURE.reshape(-1, 3) / 255)) * 255 - PICTURE.reshape(-1, 3)).max() < 1
    planes = np.rint(255 * np.clip(to_xyb(PICTURE / 255), 0, 1)).astype(np.uint8)
    found = decoded(
        planes,
        "JPEG",
        quality=100,
        keep_rgb=True,
        subsampling=0,
        icc_profile=table_profile(b"RGB ", 3, 41, to_rgb),
    )
    assert np.abs(found - PICTURE).mean() < 3
    assert np.abs(planes.astype(int) - PICTURE).mean() > 30


def test_lab_pictures_are_seen() -> None:
    """Photoshop saves TIFFs so; Pillow alone has no conversion."""
    to_lab = ImageCms.buildTransform(
        ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
    )
    lab = to_lab.apply(Image.fromarray(PICTURE))
    lab.info.clear()
    assert np.abs(decoded(lab, "TIFF") - PICTURE).mean() < 2


@pytest.mark.parametrize(
    "profile",
    [
        b"",
        b"no profile",
        BUILT_IN_SRGB[:100],
        BUILT_IN_SRGB[:300],
        BUILT_IN_SRGB[:128] + b"\xff" * 400,
        bytes(3000),
        grey_profile(lambda values: values**1.8),
        table_profile(b"CMYK", 4, 3, lambda inks: 1 - inks[:, :3]),
        b"\0" * 36 + b"acsp" + b"\xff" * 2000,
    ],
    ids=["empty", "text", "head", "cut", "noise", "zeros", "for greys", "for inks", "claims"],
)
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_a_broken_or_unfitting_profile_never_loses_the_picture(kind: str, profile: bytes) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    assert np.array_equal(
        decoded(PICTURE, kind, icc_profile=profile, **options), decoded(PICTURE, kind, **options)
    )


@pytest.mark.parametrize("kind", [2, 3, 4, 11], ids=["text", "shorts", "longs", "floats"])
def test_a_tag_for_a_profile_that_holds_something_else_never_loses_the_picture(kind: int) -> None:
    data = encode(PICTURE, "TIFF", tiffinfo={34675: b"no profile but bytes " * 20})
    entry = data.index(struct.pack("<2H", 34675, 7))
    assert np.array_equal(pixels(data[: entry + 2] + struct.pack("<H", kind) + data[entry + 4 :]), PICTURE)


def test_profiles_changed_at_random_never_raise() -> None:
    rng = np.random.default_rng(5)
    picture = Image.fromarray(PICTURE[::16, ::16].copy())
    for profile in (profile_of("Display P3"), table_profile(b"RGB ", 3, 5, lambda rgb: rgb[:, ::-1])):
        for _ in range(200):
            broken = bytearray(profile)
            for place in rng.integers(0, 400, 6):
                broken[place] = rng.integers(256)
            assert to_srgb(picture, bytes(broken)).mode == "RGB"

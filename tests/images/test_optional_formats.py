"""HEIC and JPEG XL are read where their decoders are installed, and name them where they are not."""

import io
import sys
from collections.abc import Callable

import numpy as np
import pillow_heif
import pylibjxl
import pytest
from PIL import Image

from laketag.pipeline.config import DecodeSettings
from laketag.pipeline.images.decode import decode
from laketag.pipeline.images.image_failure import ImageFailure
from laketag.pipeline.images.image_formats import IMAGE_EXTENSIONS
from tests.images.decoding import BOUNDS, encode, failure, pixels
from tests.images.icc_profiles import DISPLAY_P3, matrix_profile, rgb_to_xyz, srgb_to_linear

BLOCKS = np.random.default_rng(3).integers(30, 226, (6, 8, 3), dtype=np.uint8).repeat(32, 0).repeat(32, 1)
TURNED = Image.Exif()
TURNED[0x0112] = 6
PROFILE = matrix_profile(rgb_to_xyz(DISPLAY_P3), srgb_to_linear)


def heic(rgb_u8: np.ndarray, profile: bytes | None = None, exif: bytes | None = None) -> bytes:
    image = pillow_heif.from_pillow(Image.fromarray(rgb_u8))
    image.info.update(icc_profile=profile, icc_profile_type="prof") if profile else None
    file = io.BytesIO()
    image.save(file, quality=95, exif=exif)
    return file.getvalue()


def jpeg_xl(rgb_u8: np.ndarray, profile: bytes | None = None) -> bytes:
    return pylibjxl.encode(rgb_u8, distance=0.5, icc=profile)


FORMATS = pytest.mark.parametrize("save", [heic, jpeg_xl])


@FORMATS
def test_the_picture_is_read(save: Callable[..., bytes]) -> None:
    found = decode(save(BLOCKS), BOUNDS)
    assert np.abs(found.rgb_u8.astype(int) - BLOCKS).mean() < 4
    assert (found.width_px, found.height_px) == (256, 192)


@FORMATS
def test_a_large_picture_is_shrunk(save: Callable[..., bytes]) -> None:
    found = decode(save(BLOCKS.repeat(8, 0).repeat(8, 1)), BOUNDS)
    assert found.rgb_u8.shape == (512, 683, 3)
    assert (found.width_px, found.height_px) == (2048, 1536)


@FORMATS
def test_its_colour_profile_counts(save: Callable[..., bytes]) -> None:
    found = pixels(save(BLOCKS, PROFILE)).astype(int)
    assert np.abs(found - pixels(encode(BLOCKS, "PNG", icc_profile=PROFILE))).mean() < 4
    assert np.abs(found - BLOCKS).mean() > 8


def test_a_turned_heic_is_turned_once() -> None:
    found = pixels(heic(np.rot90(BLOCKS).copy(), exif=TURNED.tobytes()))
    assert np.abs(found.astype(int) - BLOCKS).mean() < 4


def test_a_turned_jpeg_that_became_a_jpeg_xl_is_turned_once() -> None:
    jpeg = encode(np.rot90(BLOCKS).copy(), "JPEG", quality=95, exif=TURNED)
    found = decode(pylibjxl.jpeg_to_jxl(jpeg), BOUNDS)
    assert (found.width_px, found.height_px) == (256, 192)
    assert np.abs(found.rgb_u8.astype(int) - BLOCKS).mean() < 6


@FORMATS
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_file_cut_short_is_a_failure(save: Callable[..., bytes], share: float) -> None:
    data = save(BLOCKS)
    assert failure(data[: int(len(data) * share)]) in ("truncated", "undecodable")


@FORMATS
def test_too_many_pixels_are_refused_before_decoding(save: Callable[..., bytes]) -> None:
    assert failure(save(BLOCKS), DecodeSettings(max_pixels=1000)) == "too_many_pixels"


@pytest.mark.parametrize(
    ("save", "package", "extra"), [(heic, "pillow_heif", "heif"), (jpeg_xl, "pylibjxl.pillow_plugin", "jxl")]
)
def test_without_its_decoder_the_failure_names_the_extra(
    save: Callable[..., bytes], package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = save(BLOCKS)
    monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    with pytest.raises(ImageFailure) as raised:
        decode(data, BOUNDS)
    assert raised.value.reason == "unsupported"
    assert f"install laketag[{extra}]" in raised.value.detail


def test_their_files_are_indexed_by_their_names() -> None:
    assert {"heic", "heif", "hif", "jxl"} <= IMAGE_EXTENSIONS

"""What failures depend on is what the settings and the installed decoders are now."""

from importlib.util import find_spec

from laketag.pipeline.config import DecodeSettings, FetchSettings
from laketag.pipeline.images.failure_dependencies import failure_dependencies, readable_extensions


def test_each_reason_has_its_limit_whatever_the_order_of_the_roots() -> None:
    fetch = FetchSettings(max_bytes=1, allowed_roots=("/b", "/a"))
    found = failure_dependencies(fetch, DecodeSettings(max_pixels=2))
    assert (found["too_large"], found["too_many_pixels"]) == ("1", "2")
    turned = FetchSettings(max_bytes=1, allowed_roots=("/a", "/b"))
    assert failure_dependencies(turned, DecodeSettings(max_pixels=2)) == found


def test_a_format_is_readable_if_its_decoder_is_installed() -> None:
    found = readable_extensions()
    assert {"jpg", "png", "webp"} < set(found)
    assert ("heic" in found) == (find_spec("pillow_heif") is not None)
    assert ("jxl" in found) == (find_spec("pylibjxl") is not None)

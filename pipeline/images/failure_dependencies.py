"""What permanent failures depend on: limits, roots and decoders, which a person may change."""

import json
from importlib.util import find_spec

from laketag.pipeline.config import DecodeSettings, FetchSettings
from laketag.pipeline.images.image_formats import IMAGE_EXTENSIONS
from laketag.pipeline.images.optional_formats import DECODERS


def readable_extensions() -> list[str]:
    """The file name extensions of the formats that this process can decode, sorted."""
    missing = [extensions for package, extensions in DECODERS.items() if find_spec(package) is None]
    return sorted(IMAGE_EXTENSIONS.difference(*missing))


def failure_dependencies(fetch: FetchSettings, decode: DecodeSettings) -> dict[str, str]:
    """For each reason that depends on something, what that is now, as ``failure_depended_on`` keeps it."""
    return {
        "too_large": str(fetch.max_bytes),
        "too_many_pixels": str(decode.max_pixels),
        "unsupported": " ".join(readable_extensions()),
        "outside_policy": json.dumps(
            [*sorted(fetch.allowed_roots), *([] if fetch.local_images is None else [fetch.local_images])]
        ),
    }

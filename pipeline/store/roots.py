"""Where a lake may be in a store: where each client can name its tables."""

from laketag.pipeline.errors import SettingsError
from laketag.pipeline.store.locations import parse_url
from laketag.pipeline.store.s3_clients import is_plain_key
from laketag.pipeline.store.schemes import ROOTS, SCHEMES

MAX_KEY_BYTES = 600
"""Keys have 1,024 bytes at most, and names of tables below the root some hundred."""


def checked_root(root: str) -> str:
    """The URL of the prefix without a slash at its end, or a SettingsError if a lake cannot be there."""
    location = parse_url(root)
    scheme = SCHEMES.get(location.scheme)
    if scheme is None or scheme.filesystem is None or location.is_local:
        raise SettingsError(f"root {root!r} has the scheme {location.scheme}://; give {ROOTS}")
    if not location.bucket:
        raise SettingsError(
            f"root {root!r} names no bucket (is a variable unset?); give {location.scheme}://bucket/prefix"
        )
    url = location.url.rstrip("/")
    key = parse_url(url).key
    if reason := _why_unnameable(key):
        raise SettingsError(f"root {root!r} {reason}; give another prefix")
    return url


def _why_unnameable(key: str) -> str | None:
    """Why some client cannot name keys below this one; None if all can."""
    if key and not is_plain_key(key):
        return "has an empty part, '.', '..' or a control character in its prefix, which not every client can name"
    if "?versionId=" in key:
        return "has '?versionId=' in its prefix, which a client of the store takes for a version"
    if len(key.encode("utf-8", "replace")) > MAX_KEY_BYTES:
        return (
            f"has a prefix of more than {MAX_KEY_BYTES} bytes, and keys of tables below it would be too long"
        )
    return None

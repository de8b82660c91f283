"""Images that were read before, or are likely to be readable: whether they are tells a fault of one image from one of the
store."""

from collections import defaultdict, deque
from collections.abc import Iterable
from contextlib import suppress

from laketag.pipeline.images.image_failure import ImageFailure
from laketag.pipeline.images.image_locations import locate
from laketag.pipeline.store.faults import StoreFault
from laketag.pipeline.store.locations import WEB, Location

KEPT = 3
"""How many images of each bucket are kept; one may be removed or denied meanwhile."""

_read: dict[tuple[str, str], deque[Location]] = defaultdict(lambda: deque(maxlen=KEPT))


def note_read(location: Location) -> None:
    """The file of an image in a store was read by this process."""
    if not location.is_local and location not in (kept := _read[store_group(location)]):
        kept.append(location)


def note_read_before(uris: Iterable[str], allowed_roots: tuple[str, ...]) -> None:
    """The images with these URIs can be read, as far as is known; it counts where this process has read none beside them."""
    files = []
    for uri in uris:
        with suppress(ImageFailure):
            files.append(locate(uri, allowed_roots).file)
    for file in [file for file in files if not _read[store_group(file)]]:
        note_read(file)


def find_witnesses(location: Location, fault: StoreFault) -> list[Location]:
    """Files that are readable unless the store has the fault; the location itself where none was read before.

    Access is given for each bucket. Where a bucket does not answer or exist, the others show whether the store does.
    """
    own = [kept for kept in _read[store_group(location)] if kept != location]
    if fault.name == "denied":
        return own or [location]
    others = [kept[-1] for group, kept in list(_read.items()) if group[0] == location.scheme and kept]
    return own or (others if location.scheme == "s3" else []) or [location]


def store_group(location: Location) -> tuple[str, str]:
    """What one access is given for: a bucket or host; all web servers together, of which some are always away."""
    return ("http", "") if location.scheme in WEB else (location.scheme, location.bucket)

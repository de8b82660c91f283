"""Images that were read before, or are likely to be readable: whether they are tells a fault of one image from one of the
store."""

import os
from collections import defaultdict, deque
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from laketag.pipeline.images.image_failure import ImageFailure
from laketag.pipeline.images.image_locations import locate
from laketag.pipeline.store.faults import StoreFault
from laketag.pipeline.store.locations import LOCAL, WEB, Location
from laketag.pipeline.store.schemes import has_buckets

KEPT = 3
"""How many images of each bucket are kept; one may be removed or denied meanwhile."""

Group = tuple[str, str]


@dataclass(frozen=True)
class Witnesses:
    """URIs of images that this or the last runs have read, and of some that nobody has read yet."""

    known: tuple[str, ...] = ()
    planned: tuple[str, ...] = ()


def _few_of_each() -> defaultdict[Group, deque[Location]]:
    return defaultdict(lambda: deque(maxlen=KEPT))


_known, _planned = _few_of_each(), _few_of_each()


def note_read(file: Location) -> None:
    """The file of an image was read by this process."""
    if file not in (kept := _known[store_group(file)]):
        kept.append(file)


def note_witnesses(witnesses: Witnesses, allowed_roots: tuple[str, ...]) -> None:
    """The known images count as read where this process has read none beside them; the planned ones as likely readable."""
    for file in [file for file in _locate(witnesses.known, allowed_roots) if not _known[store_group(file)]]:
        note_read(file)
    for file in _locate(witnesses.planned, allowed_roots):
        if file not in (kept := _planned[store_group(file)]):
            kept.append(file)


def is_known(scheme: str) -> bool:
    """Whether any image of a store of this scheme is known to have been read."""
    return any(
        kept for group, kept in list(_known.items()) if group[0] == ("http" if scheme in WEB else scheme)
    )


def find_witnesses(file: Location, fault: StoreFault) -> list[Location]:
    """Files of which one can be read unless the store has the fault.

    Where an image of the same bucket is known to have been read, only such images: what could be read before is no failure
    of an image now. Elsewhere planned images of the bucket and images of other buckets.
    """
    itself = [] if fault.name in ("denied", "bucket") else [file]
    if file.is_local:
        return [kept for kept in _below(find_folder(file)) if kept != file or itself]
    group = store_group(file)
    if _known[group]:
        return [kept for kept in _known[group] if kept != file] or itself
    found = [kept for kept in _planned[group] if kept != file]
    if has_buckets(file):
        for images in (_known, _planned):
            others = [
                kept[-1]
                for other, kept in list(images.items())
                if other[0] == file.scheme and other != group and kept
            ]
            found += others[-KEPT:]
    return found or itself


def find_folder(file: Location) -> Path:
    """The lowest folder above a file of this machine that exists."""
    return next(folder for folder in Path(file.key).parents if os.path.isdir(folder))  # noqa: PTH112  # Path.is_dir raises what a broken disk does


def store_group(location: Location) -> Group:
    """What one access is given for: a bucket, a host or a folder near the top of this machine's; all web servers together,
    of which some are always away."""
    if location.is_local:
        return LOCAL, "/".join(location.key.split("/")[:-1][:3])
    return ("http", "") if location.scheme in WEB else (location.scheme, location.bucket)


def _below(folder: Path) -> list[Location]:
    """Local images that are kept, below the folder; none below the root, to which all disks belong."""
    if folder.parent == folder:
        return []
    local = [
        kept for images in (_known, _planned) for group, kept in list(images.items()) if group[0] == LOCAL
    ]
    return [file for kept in local for file in kept if Path(file.key).is_relative_to(folder)]


def _locate(uris: Iterable[str], allowed_roots: tuple[str, ...]) -> list[Location]:
    files = []
    for uri in uris:
        with suppress(ImageFailure):
            files.append(locate(uri, allowed_roots).file)
    return files

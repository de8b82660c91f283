"""Files and folders below a source that nobody means by "my images"."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

NOT_PHOTOS = (
    *("@eaDir", "#recycle", "#snapshot"),  # Synology: thumbnails, bin, snapshots
    *("@Recycle", "$RECYCLE.BIN", "System Volume Information"),  # QNAP and Windows
    "__MACOSX",  # resource forks of macOS, in unpacked archives
)
"""Folders of systems: thumbnails, what was deleted, and copies. .thumbnails, .stversions and the like are hidden anyway."""
_UNWANTED = re.compile(rf"(?:^|/)(?:(\.)|({'|'.join(map(re.escape, NOT_PHOTOS))})(?:/|$))")


@dataclass(frozen=True)
class Exclusions:
    """Hidden names (with a dot in front), the folders of NOT_PHOTOS, and what a person excludes by globs.

    A glob without a slash is compared with each part of a path, one with slashes with the path from its beginning; ``*``
    matches slashes too.
    """

    globs: Sequence[str] = ()

    def reason(self, path: str) -> str | None:
        """Why the file or folder at this path, relative to the source, is left out; None if it is not."""
        if unwanted := _UNWANTED.search(path):
            return "hidden" if unwanted[1] else f"in {unwanted[2]}"
        return next((f"--exclude {glob}" for glob in self.globs if _matches(path, glob.rstrip("/"))), None)


def _matches(path: str, glob: str) -> bool:
    if "/" in glob:
        return fnmatchcase(path, glob) or fnmatchcase(path, f"{glob}/*")
    return any(fnmatchcase(part, glob) for part in path.split("/"))

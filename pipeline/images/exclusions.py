"""Files and folders below a source that nobody means by "my images"."""

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

from laketag.pipeline.errors import SettingsError

NOT_PHOTOS = (
    *("@eaDir", "#recycle", "#snapshot"),  # Synology: thumbnails, bin, snapshots
    *("@Recycle", "$RECYCLE.BIN", "System Volume Information"),  # QNAP and Windows
    "__MACOSX",  # resource forks of macOS, in unpacked archives
)
"""Folders of systems: thumbnails, what was deleted, and copies. .thumbnails, .stversions and the like are hidden anyway."""
# a part '.' or '..' is no name: only keys of stores have it
_UNWANTED = re.compile(
    rf"(?:^|/)(?:(\.(?!\.?(?:/|$)))|({'|'.join(map(re.escape, NOT_PHOTOS))})(?:/|$))", re.IGNORECASE
)
UNFINISHED_EXTENSIONS = frozenset(("crdownload", "part", "download", "tmp"))
"""Of files that a browser or another program is still writing."""


class Exclusions:
    """Hidden names (with a dot in front), the folders of NOT_PHOTOS in any case, and what a person excludes by globs.

    A glob without a slash is compared with each part of a path, one with slashes with the path from its beginning; ``*``
    matches slashes too. A glob may also begin with ``./`` or with the source; ``unmatched`` has the globs that have not
    matched yet.
    """

    def __init__(self, globs: Sequence[str] = (), source: str = "") -> None:
        self._patterns = {glob: _compile(glob, source) for glob in globs}
        self.unmatched = list(self._patterns)

    def reason(self, path: str) -> str | None:
        """Why the file or folder at this path, relative to the source, is left out; None if it is not."""
        matching = [glob for glob, pattern in self._patterns.items() if _matches(path, pattern)]
        if self.unmatched and matching:
            self.unmatched = [glob for glob in self.unmatched if glob not in matching]
        if unwanted := _UNWANTED.search(path):
            return "hidden" if unwanted[1] else f"in {unwanted[2]}"
        return f"--exclude {matching[0]}" if matching else None


def _compile(glob: str, source: str) -> str:
    """The glob relative to the source: for a name, or with a slash in front for a path from the source."""
    relative = glob.rstrip("/")
    if relative.startswith("/") or "://" in relative:
        below = f"{source.rstrip('/')}/"
        if not relative.startswith(below):
            raise SettingsError(
                f"--exclude {glob}: not below the source {source}; give a path relative to the source"
            )
        return f"/{relative.removeprefix(below)}"
    return f"/{re.sub(r'^(?:[.]/+)+', '', relative)}" if "/" in relative else relative


def _matches(path: str, pattern: str) -> bool:
    if pattern.startswith("/"):
        return fnmatchcase(f"/{path}", pattern) or fnmatchcase(f"/{path}", f"{pattern}/*")
    return any(fnmatchcase(part, pattern) for part in path.split("/"))

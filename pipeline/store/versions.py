"""Which version of a file or object was indexed, and whether a read still finds it."""

import os
from dataclasses import dataclass

UNKNOWN = "unknown"


class ChangedError(Exception):
    """The file or object is no longer the version that was asked for."""


@dataclass(frozen=True)
class Version:
    """One version of a file or object, as the ``etag`` column of an index stores it.

    Of an object it is the ETag without quotes and weak mark; of a local file, its size and time of change.
    """

    etag: str

    @property
    def is_known(self) -> bool:
        """False where none was found, as for an image that was not there when it was indexed: any version will do."""
        return self.etag != UNKNOWN

    def check(self, found: "Version") -> None:
        """The version found is this one, as far as both are known, or a ChangedError is raised.

        Each answer of a store is checked so, instead of asking with If-Match: that never matches a weak ETag, and some stores
        ignore it.
        """
        if self.is_known and found.is_known and found != self:
            raise ChangedError("the object or file is not the version that was indexed")


def version_of_etag(etag: str | None) -> Version:
    """The version that an ETag header names: without quotes and weak mark; unknown if there is no ETag."""
    return Version((etag or "").removeprefix("W/").strip('"') or UNKNOWN)


def version_of_file(status: os.stat_result) -> Version:
    """The version of a local file: its size and time of change."""
    return Version(f"{status.st_size}-{status.st_mtime_ns}")

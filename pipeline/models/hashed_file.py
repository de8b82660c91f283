"""Files of weights on this machine, the SHA-256 of their content, and the SHA-256 that they must have."""

import hashlib
import platform
from dataclasses import dataclass
from pathlib import Path

from laketag.pipeline.errors import ModelError


@dataclass(frozen=True)
class HashedFile:
    """A file on this machine, hashed by this process."""

    path: Path
    sha256: str


@dataclass(frozen=True)
class ExpectedSha256:
    """The SHA-256 that weights must have, from a setting or else from the driver of the run."""

    sha256: str
    setting: str  # that gives it, or could give it, such as backbone.sha256
    by_driver: bool

    def check(self, found: str, weights: str) -> None:
        """ModelError, with the source of the expected SHA-256, if the weights have another one."""
        if found == self.sha256:
            return
        source = (
            "as the driver of the run found; each node must see the same file: copy the driver's here or name it by its "
            f"s3:// URL, and set {self.setting} to the SHA-256 of the right one; if it was replaced meanwhile, "
            "run the command again"
            if self.by_driver
            else f"as {self.setting} requires; get the right file, or correct {self.setting} if this one is right"
        )
        raise ModelError(
            f"weights {weights} have sha256 {found} on {platform.node()}, not {self.sha256} {source}"
        )


def expected_sha256(setting: str, set_to: str | None, found_by_driver: str | None) -> ExpectedSha256 | None:
    """The setting's SHA-256, else the driver's; None if neither is known yet."""
    sha256 = set_to or found_by_driver
    return ExpectedSha256(sha256, setting, by_driver=set_to is None) if sha256 else None


used_files: set[str] = set()
"""What look-ups of models in this process, and in its children, depend on: paths, and URLs whose version was looked at."""


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file in hex."""
    used_files.add(str(path.absolute()))
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

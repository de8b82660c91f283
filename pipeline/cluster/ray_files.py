"""The files of an embedded Ray: in a folder that this user may write, and without any in the home folder."""

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from laketag.pipeline.errors import StorageError
from laketag.pipeline.store.errors import describe_full_disk

LEAST_BYTES = 16 << 20
"""With less space for its logs and sockets a Ray does not start, which it notices by waiting for its own processes in vain."""
LONGEST_FOLDER = 107 - len("/session_2026-01-01_00-00-00_000000_4194304/sockets/plasma_store")
"""The path of a socket has at most 107 bytes, and Ray puts its sockets this far below its folder."""


def ray_folder() -> Path:
    """Where Ray puts its sessions: ``ray`` in its usual temporary folder, or one of this user's own in ``/tmp``.

    The latter if the usual one has too long a path for sockets, or belongs to a user who does not let others write.
    """
    from ray._common.utils import get_default_ray_temp_dir  # knows RAY_TMPDIR and TMPDIR

    usual = Path(get_default_ray_temp_dir())  # type: ignore[no-untyped-call]  # Ray's
    if len(os.fsencode(usual)) <= LONGEST_FOLDER and _may_write(usual):
        return usual
    return Path(f"/tmp/ray-{os.getuid()}")


def check_room(folder: Path) -> None:
    """The folder's disk has room for Ray; otherwise a StorageError that names it."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if shutil.disk_usage(there).free < LEAST_BYTES:
        full = describe_full_disk(OSError(errno.ENOSPC, ""), str(there))
        raise StorageError(
            f"Ray cannot start, as {full}; free {LEAST_BYTES >> 20} MiB there, or set RAY_TMPDIR to a folder on another disk, "
            "with a short path"
        )


@contextmanager
def own_token() -> Iterator[None]:
    """Inside, a Ray that is started is protected by a token in this process's environment, unless that names one already.

    Ray would write one to the home folder, which may be missing or not writable.
    """
    from ray._raylet import AuthenticationTokenLoader, Config  # type: ignore[attr-defined]  # a module in C++

    if {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} & os.environ.keys():
        yield
        return
    had_mode = "RAY_AUTH_MODE" in os.environ
    loader = AuthenticationTokenLoader.instance()
    os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    loader.reset_cache()
    try:
        yield
    finally:
        os.environ.pop("RAY_AUTH_TOKEN", None)
        if not had_mode:  # Ray has set it
            os.environ.pop("RAY_AUTH_MODE", None)
            Config.initialize("")
        loader.reset_cache()


def _may_write(folder: Path) -> bool:
    """Whether this user may make files in the folder, or make the folder."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)

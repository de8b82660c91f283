"""Who holds a lease: what its file says, and whether that process may still be alive."""

import json
import os
import platform
from datetime import timedelta
from pathlib import Path
from typing import Any

from laketag.pipeline.lake.paths import Lake, timestamp
from laketag.pipeline.store.files import read_json
from laketag.pipeline.store.folders import list_everything

SILENT = timedelta(hours=1)
"""After this time without a heartbeat a holder is dead for laketag clean."""


def holder_content(writer: str) -> bytes:
    """The file of a lease that this process holds as ``writer``, with a heartbeat of now."""
    holder = {
        "writer": writer,
        "host": platform.node(),
        "namespace": _pid_namespace(),
        "pid": os.getpid(),
        "beat": timestamp(),
    }
    return json.dumps(holder).encode()


def has_ended(holder: dict[str, Any]) -> bool:
    """Whether the holder's process is known to have ended; false if it runs where this process cannot see it."""
    if not holder["namespace"] or holder["namespace"] != _pid_namespace():
        return False
    try:
        os.kill(holder["pid"], 0)
    except OSError as error:  # a PermissionError: it is alive and belongs to another user
        return isinstance(error, ProcessLookupError)
    return False


def _pid_namespace() -> str:
    """The boot and PID namespace in which a process id means one process; empty where the system does not name them."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
        return boot + str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def find_leases(lake: Lake) -> dict[str, bool]:
    """The leases of the lake by name, and whether their holder may be alive.

    It has not ended here, and its last heartbeat was not SILENT before that of another holder, such as the caller. The
    store's clock counts, because those of the machines may differ.
    """
    files = list_everything(lake.path("staging", "leases"), lake.storage)
    now = max((file.modified for file in files if file.modified), default=None)
    found = {}
    for file in files:
        name = file.url.rpartition("/")[2]
        if name.startswith(".") or (holder := read_json(file.url, lake.storage)) is None:
            continue
        is_silent = file.modified is not None and now is not None and now - file.modified >= SILENT
        found[name.removesuffix(".json")] = not (has_ended(holder) or is_silent)
    return found

"""Answers of look-ups of models, kept on this machine for as long as nothing that they depend on has changed.

A look-up imports torch, timm and open_clip and hashes all weights, which takes seconds. A night without work needs only
names and checksums, so it takes them from here; whoever computes with a model looks it up.
"""

import hashlib
import json
import os
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import LaketagError
from laketag.pipeline.models.hashed_file import used_files
from laketag.pipeline.models.node_cache import cache_folder
from laketag.pipeline.models.weights import remote_version
from laketag.pipeline.store.atomic_write import write_bytes

LIBRARIES = ("laketag", "open_clip_torch", "timm", "torch")
"""Their versions decide what a model is."""
PIPELINE = Path(__file__).parents[1]
OWN_CODE = (*PIPELINE.glob("classifier/*.py"), *PIPELINE.glob("models/*.py"), *PIPELINE.glob("config/*.py"))
"""And so do these files, in a checkout whose version stays the same."""


def remember(question: object, answer: dict[str, Any], storage: StorageSettings) -> None:
    """The answer is kept, with the state of every file that look-ups of this process have used."""
    with suppress(LaketagError, OSError):  # such as a full disk: the next call looks the models up
        names = sorted({*used_files, *map(str, OWN_CODE)})
        files = {name: state for name in names if (state := _state(name, storage))}
        content = json.dumps({"files": files, "answer": answer}).encode()
        write_bytes(str(_file(question)), content, StorageSettings())


def recall(question: object, storage: StorageSettings) -> dict[str, Any] | None:
    """The answer that was kept, if each file is as it was then. What another user has written is left alone."""
    file = _file(question)
    try:
        if file.stat().st_uid != os.geteuid():
            return None  # it may hold a pickle, which is code
        kept = json.loads(file.read_bytes())
        is_valid = all(_state(name, storage) == state for name, state in kept["files"].items())
    except (OSError, ValueError, KeyError, LaketagError):
        return None
    return dict(kept["answer"]) if is_valid else None


def _file(question: object) -> Path:
    """The file of the question to the installed versions of the libraries."""
    asked = repr((question, [_version_of(name) for name in LIBRARIES]))
    return cache_folder() / "looked-up" / f"{hashlib.sha256(asked.encode()).hexdigest()}.json"


def _version_of(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:  # as of a laketag that was sent with a job
        return ""


def _state(name: str, storage: StorageSettings) -> str | None:
    """What changes when the file or object changes; None if it is not there."""
    if "://" in name:
        return remote_version(name, storage)
    try:
        found = Path(name).stat()
    except OSError:
        return None
    return f"{found.st_size} {found.st_mtime_ns} {found.st_ino}"

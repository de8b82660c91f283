"""Which laketag this is."""

import json
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

MANIFEST = Path(__file__).parent.parent / "submitted.json"
"""Lies beside the packages where ``laketag submit`` sent them: which laketag and which Python sent them."""


def laketag_version() -> str:
    """The version of laketag that runs: the submitted one, else the installed one, else 0+source."""
    if MANIFEST.is_file():  # the cluster's image may have another one installed
        return str(json.loads(MANIFEST.read_text())["laketag"])
    try:
        return version("laketag")
    except PackageNotFoundError:
        return "0+source"

"""The version of laketag that runs."""

import json
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

MANIFEST = Path(__file__).parent.parent / "submitted.json"
"""``laketag submit`` writes this file into the package that it sends; it names the sender's versions of laketag and Python."""


def laketag_version() -> str:
    """The version of the submitted package, else of the installed one, else 0+source."""
    if MANIFEST.is_file():  # the cluster's image may have another version installed
        return str(json.loads(MANIFEST.read_text(encoding="utf-8"))["laketag"])
    try:
        return version("laketag")
    except PackageNotFoundError:
        return "0+source"

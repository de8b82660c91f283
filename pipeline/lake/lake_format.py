"""The format of a lake, a number in the file ``laketag.json`` under its root; a lake without this file has format 1.

A laketag raises the number when those before it that read the number would misread what it writes: another layout, another
meaning of a column, a further failure reason. It then writes the file first. New nullable columns need no other number.
laketag 0.1.0 does not read the number.
"""

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import InputError
from laketag.pipeline.store.files import read_json
from laketag.pipeline.version import laketag_version

FORMAT = 1
"""Of the lakes that this laketag reads and writes."""
FILE = "laketag.json"


def check_format(root: str, storage: StorageSettings) -> None:
    """The lake is one that this laketag understands; an InputError if a later one has written it."""
    found = (read_json(f"{root}/{FILE}", storage) or {}).get("format", FORMAT)
    if found != FORMAT:
        raise InputError(
            f"{root}: was written by a later laketag, in format {found}, and laketag {laketag_version()} reads format {FORMAT}; "
            "install a newer laketag, or name another root"
        )

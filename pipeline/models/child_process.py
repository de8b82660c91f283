"""Calls in another process, which ends with what it has imported.

torch, timm and open_clip take 700 MiB and seconds to import, and a driver lives as long as its run and computes nothing
with them. So a process of their own looks models up and ends (docs/decisions/0006-driver-without-torch.md).
"""

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

from laketag.pipeline.errors import LaketagError, ModelError
from laketag.pipeline.models.hashed_file import used_files

LAKETAG_HOME = str(Path(__file__).parents[3])
"""The folder that this laketag is imported from."""

Result = TypeVar("Result")


def call_in_child(function: Callable[..., Result], *arguments: object) -> Result:
    """What the function returns or the LaketagError that it raises, from another process; a ModelError if that gives none.

    The module of the function must not import the heavy libraries; the function may.
    """
    code = f"from {__name__} import answer; answer()"
    # an empty entry would mean the current folder
    path = os.pathsep.join(filter(None, (LAKETAG_HOME, os.environ.get("PYTHONPATH"))))
    child = subprocess.run(  # kills the process if a person stops this one
        [sys.executable, "-P", "-c", code],  # -P: the current folder is not imported from
        input=pickle.dumps((function, arguments)),
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": path},
        start_new_session=True,  # Ctrl-C in a terminal reaches this process alone
        check=False,
    )
    if not child.stdout:
        raise ModelError(
            f"the process that looks up the models ended with code {child.returncode} and no answer; "
            "if it printed nothing above, check whether the machine ran out of memory"
        )
    found, files = pickle.loads(child.stdout)
    used_files.update(files)
    if isinstance(found, LaketagError):
        raise found
    return cast("Result", found)


def answer() -> None:
    """In the other process: read the call from stdin; write its result, or a LaketagError, to stdout."""
    caller, sys.stdout = sys.stdout.buffer, sys.stderr  # what libraries print is not part of the answer
    found: object
    try:
        function, arguments = pickle.load(sys.stdin.buffer)
        found = function(*arguments)
    except LaketagError as error:
        found = error
    caller.write(pickle.dumps((found, used_files)))
    caller.flush()
    os._exit(0)  # torch and its libraries take a second to unload

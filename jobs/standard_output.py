"""Standard output, which may be closed, full, or of an encoding that lacks a character."""

import io
import os
import sys


def write_out(text: str) -> None:
    """The text stands on standard output; what its encoding lacks, as a question mark."""
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors != "replace":
        sys.stdout.reconfigure(errors="replace")
    sys.stdout.write(text)
    sys.stdout.flush()


def discard_output() -> None:
    """What standard output could not take is forgotten, or the interpreter would fail with it once more at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

"""Record what a command prints in a terminal as an SVG: ``python docs/pictures/record.py demo.svg laketag demo``."""

import io
import os
import pty
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

COLUMNS, ROWS = 120, 40


def record(command: list[str]) -> str:
    """What the command leaves on a terminal of COLUMNS: lines that it overwrote are left out."""
    chunks: list[bytes] = []

    def read(descriptor: int) -> bytes:
        chunks.append(os.read(descriptor, 65536))
        return chunks[-1]

    os.environ.update(COLUMNS=str(COLUMNS), LINES=str(ROWS), TERM="xterm-256color")
    pty.spawn(command, read)
    lines = b"".join(chunks).decode().replace("\r\n", "\n").split("\n")
    return "\n".join(_last_drawn(line) for line in lines)


def _last_drawn(line: str) -> str:
    """The last state of a line that a progress display has redrawn."""
    for erase in ("\x1b[2K", "\x1b[1A", "\x1b[?25l", "\x1b[?25h"):
        line = line.replace(erase, "\r" if erase == "\x1b[2K" else "")
    return line.rpartition("\r")[2]


def main() -> None:
    """Write the SVG."""
    target, *command = sys.argv[1:]
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(record(command)))
    Path(target).write_text(console.export_svg(title="$ " + " ".join(command)), encoding="utf-8")


if __name__ == "__main__":
    main()

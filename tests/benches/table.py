"""The table of a bench: its rows run one after the other, are kept while it is unfinished, and end in docs/performance.md."""

import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from tests.benches.rows import Row

PROJECT = Path(__file__).parents[2]
PAGE = PROJECT / "docs" / "performance.md"
KEPT = PROJECT / "bench-rows.jsonl"
MARK = "ROW "
"""Begins the line of a row, before its JSON; other lines are for people who watch."""
LIBRARIES = ("laketag", "torch", "open_clip_torch", "ray", "polars")
LINE = "| {} |"


@dataclass(frozen=True)
class Bench:
    """A bench by the command that runs it, and the names that have its rows."""

    command: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class Measured:
    """The rows of a name, the seconds that it took, and how many programs wanted the machine's cores before."""

    name: str
    rows: tuple[Row, ...]
    seconds: float
    load: float


def make_table(bench: Bench) -> int:
    """All rows are in the page; returns the number of names that failed, and then the page is as it was."""
    kept = {one.name: one for one in read_kept(KEPT)}
    for name in bench.names:
        if name not in kept and (measured := measure(name)):
            kept[name] = measured
            with KEPT.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(measured)) + "\n")
    if missing := [name for name in bench.names if name not in kept]:
        print(f"no rows of {', '.join(missing)}; the same command tries these again, and keeps the others")
        return len(missing)
    done = [kept[name] for name in bench.names]
    PAGE.write_text(replace_section(PAGE.read_text("utf-8"), bench, describe(bench, done)), "utf-8")
    others = [one for one in kept.values() if one.name not in bench.names]
    KEPT.unlink()
    if others:  # of the other bench
        KEPT.write_text("".join(json.dumps(asdict(one)) + "\n" for one in others), "utf-8")
    print(f"the table is in {PAGE.relative_to(PROJECT)}")
    return 0


def read_kept(file: Path) -> Iterator[Measured]:
    """What an unfinished bench has measured."""
    if file.exists():
        for line in file.read_text("utf-8").splitlines():
            found = json.loads(line)
            yield Measured(**found | {"rows": tuple(Row(**row) for row in found["rows"])})


def measure(name: str) -> Measured | None:
    """The rows of the name, measured and printed by another process; None if that failed."""
    load, began, rows = os.getloadavg()[0], time.monotonic(), []
    print(f"== {name}", flush=True)
    command = [sys.executable, "-m", "tests.benches", name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=PROJECT) as process:
        assert process.stdout
        for line in process.stdout:
            if line.startswith(MARK):
                rows.append(Row(**json.loads(line.removeprefix(MARK))))
                print(f"{' | '.join(asdict(rows[-1]).values())}", flush=True)
            else:
                print(line, end="", flush=True)
    return None if process.returncode else Measured(name, tuple(rows), time.monotonic() - began, load)


def print_row(row: Row) -> None:
    """The row is printed, for a person and for ``measure``."""
    print(MARK + json.dumps(asdict(row)), flush=True)


def describe(bench: Bench, done: Sequence[Measured]) -> str:
    """The section of the page: command, machine, versions, and one table."""
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    heads = ("what", "without", "with", "ratio", "beside it", "row", "load before")
    lines = [
        f"`{bench.command}` on {datetime.now(UTC):%Y-%m-%d}, {round(sum(one.seconds for one in done) / 60)} minutes, "
        f"commit {_commit()}: {_processor()}, {os.cpu_count()} cores; Python {platform.python_version()}, {libraries}.",
        "`load before` is how many processes wanted a core before the row began; from 1 on, others have slowed it down.",
        "",
        LINE.format(" | ".join(heads)),
        f"|{'---|' * len(heads)}",
    ]
    for one in done:
        for row in one.rows:
            cells = (
                row.what,
                row.without,
                row.with_,
                f"**{row.ratio}**",
                row.note,
                f"`{one.name}`",
                f"{one.load:.1f}",
            )
            lines.append(LINE.format(" | ".join(cells)))
    return "\n".join(lines)


def replace_section(page: str, bench: Bench, section: str) -> str:
    """The page with the section between the marks of the bench; at its end, if it has no such marks."""
    begin, end = f"<!-- {bench.command} -->", f"<!-- end of {bench.command} -->"
    made = f"{begin}\n{section}\n{end}"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if pattern.search(page):
        return pattern.sub(lambda _: made, page)
    return f"{page.rstrip()}\n\n{made}\n"


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    return subprocess.run(command, capture_output=True, text=True, cwd=PROJECT, check=False).stdout.strip()


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine()
    )

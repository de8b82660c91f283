"""Compares golden folders with the results of our code and prints a table for each."""

import sys
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from tests.golden.compare import Deviation, compare
from tests.golden.read import read_golden


def main(arguments: list[str]) -> int:
    """Print a table for each folder and return the exit code."""
    if not arguments:
        print("usage: python -m tests.golden DIR [DIR...]", file=sys.stderr)
        return 2
    torch.set_num_threads(1)  # with tensors this small, threads cost more time than they save
    failed = False
    for folder in map(Path, arguments):
        if not (folder / "manifest.json").is_file() or not (folder / "expected.npz").is_file():
            print(
                f"{folder} is not a golden folder: it needs manifest.json and expected.npz", file=sys.stderr
            )
            return 2
        deviations = compare(read_golden(folder))
        Console(width=None if sys.stdout.isatty() else 90).print(_table(folder, deviations))
        failed |= not all(deviation.ok for deviation in deviations)
    return int(failed)


def _table(folder: Path, deviations: list[Deviation]) -> Table:
    table = Table(title=f"{folder}", title_justify="left")
    for heading, justify in (
        ("quantity", "left"),
        ("largest deviation", "right"),
        ("limit", "right"),
        ("", "left"),
    ):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    for deviation in deviations:
        limit = f"{deviation.limit:g} {deviation.unit}".strip() if deviation.limit else "exact"
        verdict = "[green]ok[/]" if deviation.ok else "[bold red]FAIL[/]"
        table.add_row(deviation.quantity, f"{deviation.largest:.2g}", limit, verdict)
    return table

"""A folder in which nothing can be imported, and a command that runs in it."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.end_to_end.command_line import LIMIT_S, command_env

SHADOWS = ("laketag", "schemas", "ray", "polars", "pyarrow", "numpy", "torch", "typing_extensions")
OWN_WORDS = {"looking", "comparing", "starting", "connecting", "0", "1", "2", "3", "publishing", "run"}
OWN_WORDS |= {"images", "already", "planned", "labelled", "speed:", "fetch", "held", "time:", "read:", "a"}
"""The first words of the lines that laketag itself prints while it labels."""


def write_shadows(folder: Path) -> None:
    """The folder has these modules with the names of others that cannot be imported, and a package ``pipeline``."""
    (folder / "pipeline").mkdir(parents=True)
    modules = [*(folder / f"{name}.py" for name in SHADOWS), folder / "pipeline" / "__init__.py"]
    for module in modules:
        module.write_text("raise SystemExit('imported from the current folder')")


def run_as_by_uv(command: Sequence[str], folder: Path, env: Mapping[str, str]) -> list[str]:
    """The lines that the command prints in this folder; to Ray it looks as if ``uv run`` had started it.

    The test fails if the command does, or if it prints anything to stderr.
    """
    (folder / "run").write_text('"$@"; exit $?', encoding="utf-8")
    done = subprocess.run(
        ["uv", "run", *command],
        executable="/bin/sh",
        env=command_env(env),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout.splitlines()


def assert_of_laketag_alone(lines: Sequence[str]) -> None:
    """The lines of a labelling command are laketag's own, to the last, which names the table."""
    *others, labels = (line.split()[0] for line in lines)
    assert labels == "labels:", lines
    assert set(others) <= OWN_WORDS, lines

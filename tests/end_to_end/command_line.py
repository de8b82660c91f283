"""Running laketag as a user does: another process, its exit code, what it prints."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parent.parent.parent
LIMIT_S = 300


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str


def run_laketag(*arguments: str, env: Mapping[str, str] | None = None, cwd: Path = PROJECT) -> Outcome:
    """Run a laketag command to its end."""
    done = subprocess.run(
        [sys.executable, "-c", "from jobs.cli import main; main()", *arguments],
        env=command_env(env),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def must_run(*arguments: str, env: Mapping[str, str] | None = None) -> str:
    """What a laketag command prints; the test fails if the command does."""
    outcome = run_laketag(*arguments, env=env)
    assert outcome.code == 0, (
        f"laketag {' '.join(arguments)} ended with {outcome.code}\n{outcome.out}\n{outcome.err}"
    )
    return outcome.out


def command_env(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment without AWS or Ray variables of its own, and the extra ones; wide tables."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "RAY_"))}
    return kept | {"COLUMNS": "200", "PYTHONPATH": str(PROJECT)} | dict(extra or {})

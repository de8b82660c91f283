"""Running laketag as a user does: another process, its exit code, what it prints."""

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

PROJECT = Path(__file__).parent.parent.parent
LAKETAG = (sys.executable, "-c", "from laketag.jobs.cli import main; main()")
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
        [*LAKETAG, *arguments],
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


@dataclass
class Following:
    """A command that runs; each line of its output with the time at which it came."""

    process: "subprocess.Popen[str]"
    lines: list[tuple[float, str]] = field(default_factory=list)

    @property
    def text(self) -> str:
        """What it has printed so far."""
        return "".join(line for _, line in self.lines)

    def wait(self) -> int:
        """Its exit code."""
        code = self.process.wait(LIMIT_S)
        self.reader.join(10)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return code

    def __post_init__(self) -> None:
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append((time.monotonic(), line))


def start_laketag(*arguments: str, env: Mapping[str, str] | None = None) -> Following:
    """Start a laketag command and go on while it runs."""
    return Following(
        subprocess.Popen(
            [*LAKETAG, *arguments],
            env=command_env(env),
            cwd=PROJECT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    )


def wait_until(happened: Callable[[], object], what: str, patience_s: float = LIMIT_S) -> None:
    """It has happened, or the test fails and says what did not."""
    end = time.monotonic() + patience_s
    while not happened():
        assert time.monotonic() < end, f"waited {patience_s:.0f} s in vain: {what}"
        time.sleep(0.2)  # between two looks: what is waited for runs on the same two cores


def one_line(text: str) -> str:
    """The text with every run of white space as one space."""
    return re.sub(r"\s+", " ", text)


def command_env(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment without AWS or Ray variables of its own, and the extra ones; wide tables."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "RAY_"))}
    return kept | {"COLUMNS": "200", "PYTHONPATH": str(PROJECT)} | dict(extra or {})

"""Running laketag commands: in this process, or as a process of their own that can be watched and disturbed."""

import io
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

from laketag.jobs.cli import main

PROJECT = Path(__file__).parent.parent.parent
LAKETAG = (sys.executable, "-c", "from laketag.jobs.cli import main; main()")
LIMIT_S = 300


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str


@contextmanager
def environment(wanted: Mapping[str, str]) -> Iterator[None]:
    """Inside, this process has these variables and no others. Only what differs is changed: Ray's threads read them meanwhile."""
    before = dict(os.environ)
    _change_to(wanted)
    try:
        yield
    finally:
        _change_to(before)


def _change_to(wanted: Mapping[str, str]) -> None:
    for name in os.environ.keys() - wanted.keys():
        del os.environ[name]
    for name, value in wanted.items():
        if os.environ.get(name) != value:
            os.environ[name] = value


def run_laketag(*arguments: str, env: Mapping[str, str] | None = None) -> Outcome:
    """Run a laketag command in this process, which saves the seconds that a new one needs for its imports.

    Everything else is as in a process of its own: arguments, environment, output and exit code pass through ``main``. A
    command that needs Ray uses the one that this process is connected to (see tests/end_to_end/shared_ray.py).
    """
    out, err = io.StringIO(), io.StringIO()
    sigterm = signal.getsignal(signal.SIGTERM)
    with (
        environment(command_env(env)),
        patch.object(sys, "argv", ["laketag", *arguments]),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main()
            code = 0
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        finally:
            signal.signal(signal.SIGTERM, sigterm)
    return Outcome(code, out.getvalue(), err.getvalue())


def must_run(*arguments: str, env: Mapping[str, str] | None = None) -> str:
    """The output of a laketag command; the test fails if the command does."""
    return _must(arguments, run_laketag(*arguments, env=env))


def spawn_laketag(*arguments: str, env: Mapping[str, str] | None = None) -> Outcome:
    """Run a laketag command in a process of its own, as a user does, to its end."""
    done = subprocess.run(
        [*LAKETAG, *arguments],
        env=command_env(env),
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def must_spawn(*arguments: str, env: Mapping[str, str] | None = None) -> str:
    """The output of a laketag command in a process of its own; the test fails if the command does."""
    return _must(arguments, spawn_laketag(*arguments, env=env))


def _must(arguments: tuple[str, ...], outcome: Outcome) -> str:
    assert outcome.code == 0, (
        f"laketag {' '.join(arguments)} ended with {outcome.code}\n{outcome.out}\n{outcome.err}"
    )
    return outcome.out


@dataclass
class Following:
    """A command that runs in a process of its own, and the lines that it has printed so far."""

    process: "subprocess.Popen[str]"
    lines: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Its output so far."""
        return "".join(self.lines)

    @property
    def ended(self) -> bool:
        """Whether the process has ended."""
        return self.process.poll() is not None

    def until(self, happened: Callable[[], object], what: str, *, pause_s: float = 0.2) -> None:
        """It has happened; the test fails with the output as soon as the command has ended without it."""

        def look() -> bool:
            ended = self.ended  # before the look, so that what the command did last counts
            if happened():
                return True
            assert not ended, f"the command ended before this happened: {what}\n{self.text}"
            return False

        wait_until(look, what, pause_s=pause_s, output=lambda: self.text)

    def wait(self) -> int:
        """Its exit code, once it has ended."""
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
            self.lines.append(line)  # one by one: others look while it runs


def start_laketag(*arguments: str, env: Mapping[str, str] | None = None) -> Following:
    """Start a laketag command in a process of its own and go on while it runs."""
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


def wait_until(
    happened: Callable[[], object],
    what: str,
    patience_s: float = LIMIT_S,
    *,
    pause_s: float = 0.2,
    output: Callable[[], str] = str,
) -> None:
    """It has happened, or the test fails and names what did not happen, with the output."""
    end = time.monotonic() + patience_s
    while not happened():
        assert time.monotonic() < end, f"waited {patience_s:.0f} s in vain: {what}\n{output()}"
        time.sleep(pause_s)  # the event that is waited for needs the same two cores


def overrides(*settings: str) -> list[str]:
    """The command line's words for these settings, each written as ``key=value``."""
    return [word for setting in settings for word in ("-o", setting)]


def one_line(text: str) -> str:
    """The text with every run of white space as one space."""
    return re.sub(r"\s+", " ", text)


def command_env(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of this process without AWS and Ray variables, with wide tables, and the extra variables."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "RAY_"))}
    return kept | {"COLUMNS": "200", "PYTHONPATH": str(PROJECT)} | dict(extra or {})

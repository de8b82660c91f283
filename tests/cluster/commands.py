"""laketag commands that talk to a test cluster, run as a user does."""

import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.cluster.ray_cluster import RayCluster
from tests.end_to_end.command_line import PROJECT, Outcome, command_env, run_laketag

PATIENCE_S = 300.0


def submit(cluster: RayCluster, *command: str, settings: Path | None = None, detach: bool = False) -> Outcome:
    """Submit a command and follow it to its end; the submitter has the token and no credentials."""
    return run_laketag(*_arguments(cluster, command, settings, detach), env=cluster.submitter_env)


def must_submit(cluster: RayCluster, *command: str, settings: Path | None = None) -> str:
    """What a submitted command prints; the test fails if the job does."""
    outcome = submit(cluster, *command, settings=settings)
    assert outcome.code == 0, f"{outcome.out}\n{outcome.err}"
    return outcome.out


@dataclass
class Following:
    """A submission that is being followed; each line of its output with the time at which it came."""

    process: "subprocess.Popen[str]"
    lines: list[tuple[float, str]] = field(default_factory=list)

    @property
    def text(self) -> str:
        """What it has printed so far."""
        return "".join(line for _, line in self.lines)

    def wait(self) -> int:
        """Its exit code."""
        code = self.process.wait(PATIENCE_S)
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


def follow(cluster: RayCluster, *command: str, settings: Path | None = None) -> Following:
    """Submit a command and go on while it is followed."""
    arguments = _arguments(cluster, command, settings, detach=False)
    return Following(
        subprocess.Popen(
            [sys.executable, "-c", "from jobs.cli import main; main()", *arguments],
            env=command_env(cluster.submitter_env),
            cwd=PROJECT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    )


def wait_until(happened: Callable[[], object], what: str, patience_s: float = PATIENCE_S) -> None:
    """It has happened, or the test fails and says what did not."""
    end = time.monotonic() + patience_s
    while not happened():
        assert time.monotonic() < end, f"waited {patience_s:.0f} s in vain: {what}"
        time.sleep(0.2)


def one_line(text: str) -> str:
    """The text with every run of white space as one space."""
    return re.sub(r"\s+", " ", text)


def _arguments(
    cluster: RayCluster, command: tuple[str, ...], settings: Path | None, detach: bool
) -> list[str]:
    chosen = ["--settings", str(settings)] if settings else []
    return [
        "submit",
        "--address",
        cluster.address,
        *chosen,
        *(["--detach"] if detach else []),
        "--",
        *command,
    ]

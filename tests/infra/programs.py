"""Programs that these tests start: which are needed, and what they print."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent
"""The folder of this environment's programs."""
PATH = f"{BIN}:{os.environ['PATH']}"


def need(what: str, present: bool) -> None:
    """Skip the test without ``what``, or fail it where everything must be checked."""
    if present:
        return
    if os.environ.get("LAKETAG_REQUIRE_ALL") == "1":
        pytest.fail(what)
    pytest.skip(what)


def need_program(name: str) -> None:
    """Skip or fail the test if a program is not installed."""
    need(f"{name} is not installed; see infra/ci/install-system-packages.sh", shutil.which(name) is not None)


def run_program(
    *command: str | Path, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run a program to its end, with its output as text; the exit code is for the caller to check."""
    return subprocess.run(command, env=env, cwd=cwd, capture_output=True, text=True, timeout=120, check=False)


def output_of(*command: str | Path, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> str:
    """What a program prints; the test fails with all of its output if the program does."""
    done = run_program(*command, env=env, cwd=cwd)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}\n{done.stderr}"
    return done.stdout

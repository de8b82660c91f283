"""laketag commands as processes of their own, forked from one that has imported everything: that takes seconds each time.

``python -m tests.chaos.drivers`` is that process. It reads a line of JSON for each command, and answers with the number of
the process that runs it, and with its exit code once it has ended.
"""

import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.end_to_end.command_line import PROJECT, command_env


@dataclass
class Driver:
    """A command that runs, or has run."""

    pid: int
    log: Path
    codes: Mapping[int, int]

    @property
    def code(self) -> int | None:
        """Its exit code, negative for a signal that killed it; None while it runs."""
        return self.codes.get(self.pid)

    def send(self, number: signal.Signals) -> None:
        """The signal is sent, if the process still runs."""
        if self.code is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    @property
    def text(self) -> str:
        """What it has printed so far."""
        return self.log.read_text(errors="replace")


@dataclass
class Drivers:
    """Starts commands with this environment; their output goes to files of the folder."""

    folder: Path
    env: Mapping[str, str]
    codes: dict[int, int] = field(default_factory=dict)
    started: int = 0

    def __enter__(self) -> "Drivers":
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.drivers"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=PROJECT,
            env=command_env(self.env),
        )
        self._pids: list[int] = []
        self._known = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(self, *_error: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._reader.join(10)
        self._process.stdout.close()

    def start(self, *arguments: str) -> Driver:
        """The command runs."""
        assert self._process.stdin is not None
        self.started += 1
        log = self.folder / f"driver-{self.started:03}.log"
        log.touch()
        self._process.stdin.write(json.dumps({"arguments": arguments, "log": str(log)}) + "\n")
        self._process.stdin.flush()
        with self._known:
            if not self._known.wait_for(lambda: self._pids, 60):
                raise RuntimeError("no command was started within 60 s")
            return Driver(self._pids.pop(), log, self.codes)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            answer = json.loads(line)
            with self._known:
                if "code" in answer:
                    self.codes[answer["pid"]] = answer["code"]
                else:
                    self._pids.append(answer["pid"])
                self._known.notify_all()


def serve() -> None:
    """Fork a process for each line of standard input, until that is closed."""
    import open_clip  # noqa: F401  # so that the models are looked up in the driver itself
    import ray.data
    import timm  # noqa: F401

    import laketag.jobs.label
    import laketag.pipeline.flows.label_images

    del ray, laketag
    pids: set[int] = set()
    buffer = b""
    while True:
        if select.select([0], [], [], 0.02)[0]:
            if not (data := os.read(0, 65536)):
                break
            *lines, buffer = (buffer + data).split(b"\n")
            for line in lines:
                request = json.loads(line)
                pid = _fork(request["arguments"], request["log"])
                pids.add(pid)
                _answer(pid=pid)
        for pid in list(pids):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                pids.discard(pid)
                _answer(pid=pid, code=os.waitstatus_to_exitcode(status))
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _fork(arguments: list[str], log: str) -> int:
    """The number of a new process that runs the command."""
    if pid := os.fork():
        return pid
    os.setsid()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    output = os.open(log, os.O_WRONLY | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.argv = ["laketag", *arguments]
    code = 1
    try:
        from laketag.jobs.cli import main

        main()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:  # noqa: BLE001  # as the interpreter shows it
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _answer(**values: int) -> None:
    os.write(1, (json.dumps(values) + "\n").encode())


if __name__ == "__main__":
    serve()

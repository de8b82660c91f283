"""Where Ray's own messages go: into a file, and not onto the terminal."""

import functools
import io
import logging
import os
import re
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOGGERS = ("ray", "ray.data")
LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
EVERY_LINE = re.compile("")


@functools.cache
def ray_log_file() -> Path:
    """The file for the messages of Ray to this process; no folder of its own, which another user may have made."""
    name = f"laketag-ray-{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}.log"
    return Path(tempfile.gettempdir(), name)


@contextmanager
def ray_logs_in_file() -> Iterator[None]:
    """Inside, what Ray logs and prints in this process goes to ``ray_log_file``; ``ray.init()`` must be given LOG_FORMAT."""
    import ray.data  # noqa: F401  # configures its logger on import
    from ray._private.ray_logging import stdout_deduplicator
    from ray.util.annotations import RayDeprecationWarning

    # of a later Ray than the one that is required
    warnings.filterwarnings("ignore", category=RayDeprecationWarning)
    loggers = [logging.getLogger(name) for name in LOGGERS]
    before = [(logger.handlers, logger.propagate) for logger in loggers]
    skipped, prints_own_errors = stdout_deduplicator.skip_re, logging.raiseExceptions
    logging.raiseExceptions = False  # a handler whose disk is full would print a trace for each message
    # "(raylet) …" is printed by a thread of Ray; raylet.out of Ray's session has it too
    stdout_deduplicator.skip_re = EVERY_LINE
    for logger in loggers:
        own = [known for known in logger.handlers if type(known).__name__ == "SessionFileHandler"]
        logger.handlers, logger.propagate = [*own, _file_handler()], False
    try:
        with _native_stderr_in_file():
            yield
    finally:
        stdout_deduplicator.skip_re, logging.raiseExceptions = skipped, prints_own_errors
        for logger, (handlers, propagate) in zip(loggers, before, strict=True):
            logger.handlers, logger.propagate = handlers, propagate


@contextmanager
def _native_stderr_in_file() -> Iterator[None]:
    """What Ray's C++ code writes to standard error goes to the file; Python's ``sys.stderr`` still writes to where it did."""
    python = sys.stderr
    if python is None:  # it was closed when this process began
        yield
        return
    python.flush()
    terminal = os.dup(2)
    with ray_log_file().open("ab") as log:
        os.dup2(log.fileno(), 2)
    replaced = python is sys.__stderr__ and isinstance(python, io.TextIOWrapper)
    if replaced:
        raw = io.FileIO(terminal, "w", closefd=False)
        sys.stderr = io.TextIOWrapper(raw, python.encoding, python.errors, write_through=True)
    try:
        yield
    finally:
        sys.stderr.flush()
        if replaced:
            sys.stderr = python
        os.dup2(terminal, 2)
        os.close(terminal)


@functools.cache
def _file_handler() -> logging.Handler:
    handler = logging.FileHandler(ray_log_file(), encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter(LOG_FORMAT))
    return handler

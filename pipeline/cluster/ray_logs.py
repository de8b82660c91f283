"""Where Ray's own messages go: into a file, and not onto the terminal."""

import functools
import logging
import os
import tempfile
import time
from pathlib import Path

LOGGERS = ("ray", "ray.data")


@functools.cache
def ray_log_file() -> Path:
    """The file for the messages of Ray to this process."""
    file = Path(tempfile.gettempdir()) / "laketag" / f"ray-{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}.log"
    file.parent.mkdir(parents=True, exist_ok=True)
    return file


def send_ray_logs_to_file() -> None:
    """Ray's loggers write to ``ray_log_file`` instead of stderr; call it before ``ray.init()`` and after, which resets them."""
    # What raylets report ("(raylet) …") is printed by a thread of Ray, not logged; raylet.out of Ray's session has it too.
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")  # read when ray is imported: skip every line
    import ray.data  # noqa: F401  # configures its logger on import

    for name in LOGGERS:
        logger = logging.getLogger(name)
        own = [known for known in logger.handlers if type(known).__name__ == "SessionFileHandler"]
        logger.handlers = [*own, _file_handler()]
        logger.propagate = False


@functools.cache
def _file_handler() -> logging.Handler:
    handler = logging.FileHandler(ray_log_file(), delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    return handler

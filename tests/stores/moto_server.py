"""moto: answers as AWS does, but takes any secret; for units."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.stores.processes import await_port, free_port, start, stop


@contextmanager
def serve_moto(folder: Path) -> Iterator[str]:
    """The URL of an S3 server in a child process; it knows no object yet and forgets all at the end."""
    port = free_port()
    log = folder / "moto.log"
    server = start([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], log)
    try:
        await_port(port, server, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        stop(server)

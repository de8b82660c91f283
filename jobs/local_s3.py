"""An S3 server on this machine, for the demo: moto, in a child process on loopback."""

import importlib.util
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import SettingsError, StorageError
from laketag.pipeline.store.schemes import open_filesystem

START_S = 30.0


@contextmanager
def serve_bucket(name: str, console: Console) -> Iterator[str]:
    """An empty bucket ``s3://name`` on a server of this process, which the process's AWS variables name from now on."""
    if importlib.util.find_spec("moto") is None:
        raise SettingsError("--serve-s3 needs the S3 server that comes with: pip install 'laketag[demo]'")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    endpoint = f"http://127.0.0.1:{port}"
    variables = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ENDPOINT_URL_S3": endpoint,  # takes precedence where both are set
        "AWS_ACCESS_KEY_ID": "demo",
        "AWS_SECRET_ACCESS_KEY": "demo",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    for other in (
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "AWS_SKIP_SIGNATURE", "AWS_PROFILE", "AWS_SESSION_TOKEN"
    ):  # fmt: skip
        os.environ.pop(other, None)
    os.environ.update(variables)
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(port, server)
        filesystem, path = open_filesystem(f"s3://{name}", StorageSettings())
        filesystem.mkdir(path)
        console.print(f"an S3 server listens at {endpoint}; to use it from another terminal:")
        exports = " ".join(f"{key}={value}" for key, value in variables.items())
        console.print(f"  export {exports}", soft_wrap=True)
        yield f"s3://{name}"
    finally:
        server.terminate()
        server.wait(10)


def upload_folder(folder: Path, url: str) -> None:
    """Every file of the folder is copied to the URL, under its path in the folder."""
    filesystem, path = open_filesystem(url, StorageSettings())
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    filesystem.put(
        [str(file) for file in files], [f"{path}/{file.relative_to(folder).as_posix()}" for file in files]
    )


def _wait_for(port: int, server: "subprocess.Popen[bytes]") -> None:
    """The server accepts connections, or a StorageError."""
    end = time.monotonic() + START_S
    while time.monotonic() < end and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise StorageError(
        f"the S3 server on port {port} did not answer within {START_S:.0f} s; try: python -m moto.server -p {port}"
    )

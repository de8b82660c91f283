"""An S3 server for the demo: moto, in a thread of this process, on loopback."""

import importlib.util
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import SettingsError
from laketag.pipeline.store.schemes import open_filesystem

OTHER_STORES = (
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "AWS_SKIP_SIGNATURE", "AWS_PROFILE", "AWS_SESSION_TOKEN"
)  # fmt: skip
"""Variables that would lead to another store or user."""


@contextmanager
def serve_bucket(name: str, console: Console) -> Iterator[str]:
    """An empty bucket ``s3://name`` on a server of this process, whose AWS variables name it from now on."""
    if importlib.util.find_spec("moto") is None:
        raise SettingsError("--serve-s3 needs the S3 server that comes with: pip install 'laketag[demo]'")
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # it prints a line for each request otherwise
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    variables = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ENDPOINT_URL_S3": endpoint,  # takes precedence where both are set
        "AWS_ACCESS_KEY_ID": "demo",
        "AWS_SECRET_ACCESS_KEY": "demo",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    for other in OTHER_STORES:
        os.environ.pop(other, None)
    os.environ.update(variables)
    try:
        filesystem, path = open_filesystem(f"s3://{name}", StorageSettings())
        filesystem.mkdir(path)
        console.print(f"an S3 server listens at {endpoint}; to use it from another terminal:")
        exports = " ".join(f"{key}={value}" for key, value in variables.items())
        console.print(f"  export {exports}", soft_wrap=True)
        yield f"s3://{name}"
    finally:
        server.stop()


def upload_folder(folder: Path, url: str) -> None:
    """Every file of the folder is copied to the URL, under its path in the folder."""
    filesystem, path = open_filesystem(url, StorageSettings())
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    filesystem.put(
        [str(file) for file in files], [f"{path}/{file.relative_to(folder).as_posix()}" for file in files]
    )

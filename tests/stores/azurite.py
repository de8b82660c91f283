"""Azurite: Microsoft's own emulator of Azure's blobs, in memory."""

import base64
import hashlib
import hmac
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from tests.stores.processes import await_port, free_port, start, stop

PROGRAM = "azurite-blob"
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""As Microsoft publishes them for every emulator."""


@contextmanager
def serve_azurite(folder: Path) -> Iterator[str]:
    """The URL of an emulator in a child process; it knows no container yet and forgets all at the end."""
    port = free_port()
    log = folder / "azurite.log"
    place = ("--inMemoryPersistence", "--blobHost", "127.0.0.1", "--blobPort", str(port))
    server = start([PROGRAM, *place, "--skipApiVersionCheck", "--disableTelemetry"], log)
    try:
        await_port(port, server, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        stop(server)


def make_container(url: str, name: str) -> None:
    """The container exists; obstore cannot make one."""
    headers = {
        "x-ms-date": f"{datetime.now(UTC):%a, %d %b %Y %H:%M:%S} GMT",
        "x-ms-version": "2021-08-06",
    }
    lines = [f"{header}:{value}" for header, value in headers.items()]
    resource = f"/{ACCOUNT}/{ACCOUNT}/{name}"
    text = "\n".join(["PUT", *[""] * 11, *lines, resource, "restype:container"])
    digest = hmac.new(base64.b64decode(KEY), text.encode(), hashlib.sha256).digest()
    headers["Authorization"] = f"SharedKey {ACCOUNT}:{base64.b64encode(digest).decode()}"
    urllib.request.urlopen(
        urllib.request.Request(
            f"{url}/{ACCOUNT}/{name}?restype=container",
            method="PUT",
            headers={**headers, "Content-Length": "0"},
        )
    ).close()

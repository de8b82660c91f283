import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from laketag.pipeline.config import AttentionSettings, BackboneSettings
from laketag.pipeline.models.architecture import published_safetensors
from laketag.pipeline.models.libraries import open_clip

CONTENT = os.urandom(100_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
CODE = """
import json, multiprocessing, sys
from laketag.pipeline.errors import LaketagError
from laketag.pipeline.models.hashed_file import ExpectedSha256
from laketag.pipeline.models.hub import HubFile, hub_file

def ask(expected):
    expected = ExpectedSha256(expected, "backbone.sha256", by_driver=False) if expected else None
    try:
        file = hub_file(HubFile("owner/model", "m.safetensors", "the model M", "backbone.pretrained"), expected)
    except LaketagError as error:
        return str(error)
    return [str(file.path), file.sha256]

if __name__ == "__main__":
    processes, expected = json.loads(sys.argv[1])
    barrier = multiprocessing.get_context("fork").Barrier(processes)
    with multiprocessing.get_context("fork").Pool(processes, initializer=barrier.wait) as pool:
        print(json.dumps(pool.map(ask, [expected] * processes, chunksize=1)))
"""


@dataclass
class Hub:
    """A server that answers like the Hugging Face hub for one large file, and its requests."""

    url: str
    cache: Path
    asked: list[str] = field(default_factory=list)

    def ask(self, processes: int = 1, expected: str | None = None, **env: str) -> list[object]:
        """The results of hub_file in processes that call it at once: path and SHA-256, or the error."""
        environment = os.environ | {  # read when the hub's client is imported
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(self.cache / "hub"),
            "LAKETAG_CACHE": str(self.cache / "laketag"),
            **env,
        }
        done = subprocess.run(
            [sys.executable, "-c", CODE, json.dumps([processes, expected])],
            capture_output=True,
            text=True,
            env=environment,
            check=True,
        )
        assert done.stderr == ""
        answers: list[object] = json.loads(done.stdout)
        return answers


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.answer()

        def do_GET(self) -> None:
            self.answer()
            self.wfile.write(CONTENT)

        def answer(self) -> None:
            hub.asked.append(f"{self.command} {self.path}")
            self.send_response(200)
            self.send_header("X-Repo-Commit", "c" * 40)
            self.send_header("ETag", f'"{SHA256}"')
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hub = Hub(f"http://127.0.0.1:{server.server_port}", tmp_path)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield hub
        server.shutdown()
        thread.join()


def test_many_processes_at_once_ask_the_hub_as_often_as_one(hub: Hub, tmp_path: Path) -> None:
    (alone,) = hub.ask()
    asked = len(hub.asked)
    assert asked >= 1
    hub.cache = tmp_path / "another node"
    answers = hub.ask(6)
    assert len(hub.asked) == 2 * asked
    assert {answer[1] for answer in [alone, *answers]} == {SHA256}
    assert len({answer[0] for answer in answers}) == 1
    hub.ask(6)
    assert len(hub.asked) == 2 * asked  # a file in the cache needs no request


def test_a_damaged_file_in_the_hubs_cache_is_named_and_downloaded_anew_once_removed(hub: Hub) -> None:
    ((path, _),) = hub.ask()
    blob = Path(path).resolve()
    blob.write_bytes(b"\0" + CONTENT[1:])
    (error,) = hub.ask()
    assert f"weights of the model M are damaged: {blob} has sha256" in error
    blob.unlink()
    assert hub.ask() == [[path, SHA256]]


def test_another_checksum_than_the_settings_name_is_refused_with_the_file(hub: Hub) -> None:
    ((path, _),) = hub.ask(expected=SHA256)
    (error,) = hub.ask(expected="0" * 64)
    assert error.startswith(f"weights of the model M ({path}) have sha256 {SHA256} on ")


def test_without_network_and_cache_the_error_says_what_to_do(hub: Hub) -> None:
    (error,) = hub.ask(HF_HUB_OFFLINE="1")
    assert error.startswith("the weights of the model M are not on this machine and cannot be downloaded (")
    assert (
        "copy m.safetensors of the hub repository owner/model here or to s3:// and set backbone.pretrained to it"
        in error
    )


@pytest.mark.parametrize("variable", ["HF_HOME", "LAKETAG_CACHE"])
def test_a_cache_that_cannot_be_written_says_which_variables_name_another(hub: Hub, variable: str) -> None:
    """As below a home folder that is missing or may only be read."""
    (error,) = hub.ask(**{variable: "/dev/null/cache"})
    assert "/dev/null" in error
    assert error.endswith(
        "set LAKETAG_CACHE, and HF_HOME for weights of the Hugging Face hub, to a folder that can be written"
    )


def test_the_default_weights_are_published_as_safetensors() -> None:
    backbone = BackboneSettings()  # type: ignore[call-arg]
    tag = open_clip.get_pretrained_cfg(backbone.name, backbone.pretrained)
    published = published_safetensors(tag, "M")
    assert published.repository == "timm/vit_base_patch16_clip_224.openai"
    assert published.filename == "open_clip_model.safetensors"
    assert AttentionSettings().name == "vit_base_patch16_224.dino"  # type: ignore[call-arg]

"""What RAY_ADDRESS may be, and which sentence refuses it at once."""

import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
import pytest
from ray._private import services
from ray.core.generated import gcs_service_pb2_grpc

from laketag.pipeline.cluster.ray_address import named_address, resolve_address, starter_of
from laketag.pipeline.errors import ClusterError
from tests.stores.processes import free_port


class Head(gcs_service_pb2_grpc.NodeInfoGcsServiceServicer):
    """Answers as the head of a cluster whose token is unknown here."""

    def CheckAlive(self, _request: object, context: grpc.ServicerContext) -> None:  # noqa: N802  # its name in the protocol
        context.abort(grpc.StatusCode.UNAUTHENTICATED, "Missing authentication token")


@contextmanager
def serve_head() -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(1))
    gcs_service_pb2_grpc.add_NodeInfoGcsServiceServicer_to_server(Head(), server)
    port = server.add_insecure_port("0.0.0.0:0")  # Ray reaches this machine by its own address
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(0)


def refused(call: str, *address: str) -> str:
    with pytest.raises(ClusterError) as error:
        {"named": named_address, "resolve": resolve_address}[call](*address)
    return str(error.value)


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (None, None),
        ("", None),
        ("  ", None),
        ("local", None),
        ("auto", "auto"),
        (" auto ", "auto"),
        ("head:6379", "head:6379"),
        (" 10.0.0.1:6379\n", "10.0.0.1:6379"),
        ("[::1]:6379", "[::1]:6379"),
    ],
)
def test_a_ray_is_named_or_one_is_embedded(
    value: str | None, named: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    if value is not None:
        monkeypatch.setenv("RAY_ADDRESS", value)
    assert named_address() == named


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("http://head:8265", "laketag submit --address http://head:8265"),
        ("https://head", "laketag submit --address https://head"),
        ("ray://head:10001", "Ray Client"),
        ("head", "is not HOST:PORT"),
        ("head:", "is not HOST:PORT"),
        ("head:0", "is not HOST:PORT"),
        ("head:70000", "is not HOST:PORT"),
        ("head :6379", "is not HOST:PORT"),
        (":6379", "is not HOST:PORT"),
        ("::1:6379", "is not HOST:PORT"),
        ("gcs://head:6379", "is not HOST:PORT"),
    ],
)
def test_other_forms_are_refused_with_what_to_write(
    value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", value)
    sentence = refused("named")
    assert said in sentence
    assert f"RAY_ADDRESS={value}" in sentence
    assert "unset RAY_ADDRESS" in sentence


def test_an_address_without_a_ray_is_refused() -> None:
    address = f"127.0.0.1:{free_port()}"
    assert f"no Ray answers at RAY_ADDRESS={address} (UNAVAILABLE: " in refused("resolve", address)


def test_a_token_that_is_missing_is_named() -> None:
    with serve_head() as address:
        said = refused("resolve", address)
    assert f"RAY_ADDRESS={address} refuses this machine's token (Missing authentication token)" in said
    assert "RAY_AUTH_TOKEN" in said


def test_auto_without_a_head_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "find_gcs_addresses", set)
    monkeypatch.setattr(services, "find_bootstrap_address", lambda _folder: None)
    assert "ray start --head" in refused("resolve", "auto")


def test_auto_with_a_head_that_has_gone_names_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = f"127.0.0.1:{free_port()}"
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.setattr(services, "find_gcs_addresses", set)
    monkeypatch.setattr(services, "find_bootstrap_address", lambda _folder: gone)
    assert f"RAY_ADDRESS=auto ({gone})" in refused("resolve", "auto")


@pytest.mark.skipif(os.getuid() != 0, reason="only root may start a process of another user")
def test_the_other_user_who_has_started_a_head_is_named() -> None:
    port = free_port()
    words = ["/opt/ray/gcs_server", "-c", "read line; exit", f"--gcs_server_port={port}"]
    for user, name in ((65534, "nobody"), (os.getuid(), None)):
        with subprocess.Popen(words, executable="/bin/sh", stdin=subprocess.PIPE, user=user) as head:
            assert starter_of(f"127.0.0.1:{port}") == name
            assert starter_of(f"127.0.0.1:{free_port()}") is None
            head.communicate(b"\n")

"""What answers at an address, and the sentence about it; never a secret."""

import base64
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray

from laketag.jobs.submission.client import connect
from laketag.pipeline.errors import ClusterError
from laketag.pipeline.version import laketag_version
from tests.jobs.submission.fake_dashboard import FakeDashboard, serve_dashboard


@pytest.fixture
def dashboard() -> Iterator[FakeDashboard]:
    with serve_dashboard(ray.__version__) as served:
        yield served


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ((200, "[]"), "does not report a Ray version"),
        ((200, "{}"), "does not report a Ray version"),
        ((200, '{"ray_version": null}'), "does not report a Ray version"),
        ((200, '{"ray_version": "latest"}'), "does not report a Ray version"),
        ((200, "<html>welcome</html>"), "gives a web page instead of an answer"),
        ((502, "bad gateway"), r"answers with status 502 \(Bad Gateway\)"),
        ((404, "{}"), r"answers with status 404 \(Not Found\)"),
        ((401, "Unauthorized"), "set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN"),
    ],
)
def test_an_answer_that_is_not_a_ray_dashboards_is_refused(
    dashboard: FakeDashboard, answer: tuple[int, str], says: str
) -> None:
    dashboard.version_answer = answer
    with pytest.raises(ClusterError, match=rf"^{dashboard.url}.*{says}"):
        connect(dashboard.url)


def test_another_version_of_ray_is_refused_with_the_fix() -> None:
    needed = ".".join(ray.__version__.split(".")[:2])
    with serve_dashboard("2.50.0") as other, pytest.raises(ClusterError) as error:
        connect(other.url)
    assert str(error.value) == (
        f"{other.url} runs Ray 2.50.0 and this machine Ray {ray.__version__}; laketag {laketag_version()} needs Ray "
        f"{needed}.x on the cluster: give the cluster an image with it (infra/images), "
        "or use the laketag release made for Ray 2.50.0"
    )
    with serve_dashboard(f"{needed}.99") as same:
        assert connect(same.url).ray_version == f"{needed}.99"


def test_a_proxy_that_does_not_reach_the_cluster_is_named(
    dashboard: FakeDashboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.lower() == "no_proxy"]:
        monkeypatch.delenv(name)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{closed.getsockname()[1]}")
        with pytest.raises(ClusterError, match="add the cluster's host to NO_PROXY"):
            connect(dashboard.url)


def test_a_netrc_does_not_replace_what_ray_sends(
    dashboard: FakeDashboard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password from-netrc\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    client = connect(dashboard.url)
    client._headers["Authorization"] = "Bearer of-ray"
    client.list_jobs()
    assert "'Authorization': 'Bearer of-ray'" in dashboard.requests[-1][1]
    assert base64.b64encode(b"me:from-netrc") not in dashboard.everything


def test_a_password_in_the_address_is_used_and_never_shown(dashboard: FakeDashboard) -> None:
    address = dashboard.url.replace("//", "//me:hunter2@")
    connect(address).list_jobs()
    assert base64.b64encode(b"me:hunter2").decode() in dashboard.requests[-1][1]
    for dashboard.version_answer in ((502, ""), (200, "[]"), (403, "no"), (200, '{"ray_version": "1.0"}')):
        with pytest.raises(ClusterError) as error:
            connect(address)
        assert "hunter2" not in str(error.value)
        assert dashboard.url in str(error.value)
    for wrong in ("me:hunter2@head:8265", "http://me:hunter2@127.0.0.1:9", "http://me:hun@ter2@127.0.0.1:9"):
        with pytest.raises(ClusterError) as error:
            connect(wrong)
        assert "ter2" not in str(error.value)

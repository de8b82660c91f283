"""The image's last steps and the commands of `ray up` run with the files where the Dockerfile puts them."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from ray.autoscaler._private.command_runner import _with_interactive

from tests.infra.dockerfile import of, read_steps
from tests.infra.image_namespace import ImageNamespace, image_environment
from tests.infra.manifests import PROJECT, read_document

STEPS = read_steps()
(ENVIRONMENT,) = [image_environment(value) for value in of(STEPS, "ENV") if "LAKETAG_CACHE" in value]

Image = Callable[[str], "subprocess.CompletedProcess[str]"]


@pytest.fixture
def image(tmp_path: Path) -> Image:
    """Runs a command in the image's environment, its profile written."""
    namespace = ImageNamespace(tmp_path)
    (profile,) = [command for command in of(STEPS, "RUN") if "/etc/profile.d/" in command]
    written = namespace.run(profile, {})
    assert written.returncode == 0, written.stderr
    return lambda command: namespace.run(command, ENVIRONMENT)


def as_ray_up_runs(command: str) -> str:
    """The command as Ray's launcher wraps it."""
    return " ".join(_with_interactive(command))  # type: ignore[no-untyped-call]  # Ray


def test_the_step_that_tries_the_image_passes(image: Image) -> None:
    tried = image(of(STEPS, "RUN")[-1])
    assert tried.returncode == 0, tried.stderr
    assert re.fullmatch(r"laketag 0\.\d+\.\d+\nray, version 2\.60\.\d+\n", tried.stdout)


def test_the_environment_alone_does_not_reach_a_login_shell(tmp_path: Path) -> None:
    """This is why the profile exists; otherwise the next test would show nothing."""
    result = ImageNamespace(tmp_path).run(as_ray_up_runs("ray --version"), ENVIRONMENT)
    assert result.returncode == 127
    assert "ray: command not found" in result.stderr


def test_what_ray_up_runs_in_the_container_finds_its_ray_and_its_python(image: Image) -> None:
    found = image(as_ray_up_runs("command -v ray laketag && python -c 'import sys; print(sys.prefix)'"))
    assert found.stdout.split() == ["/opt/laketag/bin/ray", "/opt/laketag/bin/laketag", "/opt/laketag"]
    config = read_document(PROJECT / "ray_cluster.yaml")
    for command in [*config["head_start_ray_commands"], *config["worker_start_ray_commands"]]:
        helped = image(as_ray_up_runs(f"{command} --help"))
        assert helped.returncode == 0, helped.stderr
        assert f"Usage: {' '.join(command.split()[:2])} " in helped.stdout

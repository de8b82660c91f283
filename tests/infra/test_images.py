"""The Dockerfile: linted, read, and its steps run as far as they go without a Docker engine."""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.infra.dockerfile import FILE, of, read_steps
from tests.infra.manifests import INFRA, PROJECT

BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def steps() -> list[dict[str, Any]]:
    return read_steps()


def copied(steps: list[dict[str, Any]]) -> list[str]:
    """What the build takes from the project."""
    lines = [value for value in of(steps, "COPY") if not value.startswith("--from")]
    return [source for line in lines for source in line.split()[:-1]]


def ignored(path: str) -> bool:
    """Whether Dockerfile.dockerignore keeps a path out of the build, by Docker's rule: the last line that fits decides."""
    out = False
    for line in (INFRA / "images/Dockerfile.dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!").removeprefix("**/")
        parts = Path(path).parts
        places = ["/".join(parts[:n]) for n in range(1, len(parts) + 1)] + (
            list(parts) if "**/" in line else []
        )
        if line and not line.startswith("#") and any(fnmatchcase(place, pattern) for place in places):
            out = not line.startswith("!")
    return out


def test_hadolint_finds_nothing() -> None:
    result = subprocess.run([BIN / "hadolint", FILE], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stdout


def test_bases_are_pinned_to_a_patch_version_of_this_python(steps: list[dict[str, Any]]) -> None:
    (base,) = [value.partition("=")[2] for value in of(steps, "ARG") if value.startswith("PYTHON_IMAGE=")]
    match = re.fullmatch(r"python:(\d+\.\d+)\.\d+-slim-\w+", base)
    assert match is not None
    assert match[1] == f"{sys.version_info.major}.{sys.version_info.minor}"
    stages = [value.partition(" AS ") for value in of(steps, "FROM")]
    names = {name for _, _, name in stages if name}
    assert all(
        source == "${PYTHON_IMAGE}" or source in names or source == "weights-${WEIGHTS}"
        for source, _, _ in stages
    )
    assert {"weights-mounted", "weights-baked"} <= names


def test_the_last_stage_runs_without_root(steps: list[dict[str, Any]]) -> None:
    runtime = next(
        i for i, s in enumerate(steps) if s["instruction"] == "FROM" and s["value"].endswith(" AS runtime")
    )
    assert of(steps[runtime:], "USER") == ["1000:1000"]


def test_nothing_is_downloaded_past_the_package_managers(steps: list[dict[str, Any]]) -> None:
    for command in of(steps, "RUN"):
        assert not re.search(r"\b(curl|wget|git|npm)\b|https?://", command)
    assert of(steps, "ADD") == []


def test_what_ray_needs_to_reach_workers_is_installed(steps: list[dict[str, Any]]) -> None:
    (apt,) = [command for command in of(steps, "RUN") if "apt-get install" in command]
    assert {"openssh-client", "rsync"} <= set(apt.split())
    (env,) = [value for value in of(steps, "ENV") if "LAKETAG_CACHE" in value]
    assert "HOME=/home/laketag" in env  # `ray up` reads it from the image to place file_mounts


def test_sources_exist_and_reach_the_build(steps: list[dict[str, Any]]) -> None:
    sources = copied(steps)
    wheel = re.search(
        r"\[tool.hatch.build.targets.wheel\]\npackages = \[(.+)\]", (PROJECT / "pyproject.toml").read_text()
    )
    assert wheel is not None
    assert {name.strip(' "') for name in wheel[1].split(",")} <= {source.rstrip("/") for source in sources}
    for source in sources:
        if source != "README.md":  # the page that the wheel shows
            assert (PROJECT / source).exists(), source
        assert not ignored(source.rstrip("/")), source


@pytest.mark.parametrize(
    "path",
    [
        ".git/config",
        ".venv/bin/python",
        "infra/values.env",
        "my.env",
        "demo/training/train.py",
        "pipeline/__pycache__/x.pyc",
        "weights/clip.safetensors",
    ],
)
def test_what_is_not_the_image_stays_out_of_the_build(path: str) -> None:
    assert ignored(path)


def test_every_package_that_the_image_gets_is_pinned_by_the_lock() -> None:
    """The lock file constrains `uv pip install --requirements pyproject.toml`; what it does not name would float."""
    locked = {
        canonicalize_name(name)
        for name in re.findall(r"^([\w.-]+)==", (PROJECT / "requirements.lock").read_text(), re.MULTILINE)
    }
    asked = [*(importlib.metadata.requires("laketag") or ()), "boto3", "hatchling"]
    seen: set[str] = set()
    while asked:
        requirement = Requirement(asked.pop())
        name = canonicalize_name(requirement.name)
        extras = [{"extra": extra} for extra in requirement.extras or {""}]
        if requirement.marker is not None and not any(
            requirement.marker.evaluate({"extra": ""}) for _ in extras
        ):
            continue
        key = f"{name}[{','.join(sorted(requirement.extras))}]"
        if key in seen:
            continue
        seen.add(key)
        assert name in locked, requirement
        for text in importlib.metadata.requires(name) or ():
            inner = Requirement(text)
            if inner.marker is None or any(
                inner.marker.evaluate({"extra": extra}) for extra in requirement.extras or {""}
            ):
                inner.marker = None
                asked.append(str(inner))
    assert "ray[data,default]" in seen


def test_uv_knows_the_torch_backends_that_the_dockerfile_names(steps: list[dict[str, Any]]) -> None:
    shown = subprocess.run(
        [BIN / "uv", "pip", "install", "--help"], capture_output=True, text=True, check=True
    ).stdout
    option = shown.partition("--torch-backend ")[2].partition("\n      --")[0]
    assert {"cpu", "cu126", "cu128"} <= set(re.findall(r"\w+", option))


@pytest.mark.parametrize(("backend", "kept"), [("pypi", True), ("cpu", False), ("cu126", False)])
def test_only_torchs_own_cuda_is_held_to_the_lock(
    steps: list[dict[str, Any]], backend: str, kept: bool, tmp_path: Path
) -> None:
    """The step's own shell, with an installer that tells what it was asked."""
    (command,) = [command for command in of(steps, "RUN") if "constraints.txt" in command]
    (tmp_path / "requirements.lock").write_text(
        "cuda-toolkit==1\nnvidia-cublas==1\nray==2\ntorch==2\ntriton==3\n"
    )
    (tmp_path / "uv").write_text('#!/bin/sh\necho "$@"\n')
    (tmp_path / "uv").chmod(0o755)
    command = command.replace("/tmp/", f"{tmp_path}/").replace("\\\n", "")
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "TORCH_BACKEND": backend}
    asked = subprocess.run(
        ["sh", "-euc", command], cwd=tmp_path, env=env, capture_output=True, text=True, check=True
    ).stdout
    constraints = (tmp_path / "constraints.txt").read_text()
    assert ("nvidia-cublas" in constraints) is ("triton" in constraints) is kept
    assert "torch==2" in constraints
    assert (f"--torch-backend {backend}" in asked) is not kept
    assert asked.split()[-2:] == ["boto3", "hatchling"]


def test_the_wheel_that_the_image_installs_runs(steps: list[dict[str, Any]], tmp_path: Path) -> None:
    """The build's COPY and RUN steps in a folder of their own; dependencies are those of this environment."""
    source, target = tmp_path / "src", tmp_path / "opt"
    source.mkdir()
    for name in copied(steps):
        if (PROJECT / name).is_dir():
            shutil.copytree(
                PROJECT / name,
                source / name,
                ignore=lambda folder, names: [
                    n for n in names if ignored(str((Path(folder) / n).relative_to(PROJECT)))
                ],
            )
        elif (PROJECT / name).exists():
            shutil.copy(PROJECT / name, source)
    (source / "README.md").touch()
    build, install = [command for command in of(steps, "RUN") if "/src/dist" in command]
    env = {
        **os.environ,
        "VIRTUAL_ENV": str(BIN.parent),
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "UV_OFFLINE": "1",
    }
    env.pop("PYTHONPATH", None)
    run = {"cwd": source, "env": env, "check": True, "timeout": 120, "shell": True, "capture_output": True}
    subprocess.run(build.replace("/src/", f"{source}/"), **run)  # type: ignore[call-overload]  # keyword arguments by name
    install, _, cleanup = install.replace("/src/", f"{source}/").partition(" && ")
    assert cleanup == "uv pip uninstall hatchling"
    subprocess.run(install.replace("--no-deps", f"--no-deps --target {target}"), **run)  # type: ignore[call-overload]  # same
    program = (
        "import laketag.jobs.cli, sys; print(laketag.__file__); "
        "sys.argv = ['laketag', '--version']; laketag.jobs.cli.main()"
    )
    env["PYTHONPATH"] = str(target)
    shown = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert shown.returncode == 0, shown.stderr
    assert str(target) in shown.stdout
    assert "laketag 0.1.0" in shown.stdout
    assert (target / "bin/laketag").is_file()
    assert not list(target.rglob("training"))

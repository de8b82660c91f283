"""The Dockerfile: linted, read, and its steps run as far as possible without a Docker engine."""

import importlib.metadata
import os
import re
import shutil
import sys
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.infra.dockerfile import FILE, of, read_steps
from tests.infra.manifests import INFRA, PROJECT
from tests.infra.programs import BIN, PATH, output_of

STEPS = read_steps()
COPIED = [
    source for value in of(STEPS, "COPY") if not value.startswith("--from") for source in value.split()[:-1]
]
"""The files and folders of the project that the build takes."""


def run_step(containing: str) -> str:
    """The one RUN step that contains some text."""
    (command,) = [command for command in of(STEPS, "RUN") if containing in command]
    return command


def ignored(path: str) -> bool:
    """Whether Dockerfile.dockerignore excludes a path from the build, by Docker's rule: the last matching line decides."""
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
    output_of(BIN / "hadolint", FILE)


def test_bases_are_pinned_to_a_patch_version_of_this_python() -> None:
    (base,) = [value.partition("=")[2] for value in of(STEPS, "ARG") if value.startswith("PYTHON_IMAGE=")]
    match = re.fullmatch(r"python:(\d+\.\d+)\.\d+-slim-\w+", base)
    assert match is not None
    assert match[1] == f"{sys.version_info.major}.{sys.version_info.minor}"
    stages = [value.partition(" AS ") for value in of(STEPS, "FROM")]
    names = {name for _, _, name in stages if name}
    assert {source for source, _, _ in stages} <= names | {"${PYTHON_IMAGE}", "weights-${WEIGHTS}"}
    assert {"weights-mounted", "weights-baked"} <= names


def test_the_last_stage_runs_without_root() -> None:
    runtime = next(
        i for i, s in enumerate(STEPS) if s["instruction"] == "FROM" and s["value"].endswith(" AS runtime")
    )
    assert of(STEPS[runtime:], "USER") == ["1000:1000"]


def test_only_package_managers_download_anything() -> None:
    for command in of(STEPS, "RUN"):
        assert not re.search(r"\b(curl|wget|git|npm)\b|https?://", command)
    assert of(STEPS, "ADD") == []


def test_the_programs_with_which_ray_reaches_workers_are_installed() -> None:
    assert {"openssh-client", "rsync"} <= set(run_step("apt-get install").split())
    (env,) = [value for value in of(STEPS, "ENV") if "LAKETAG_CACHE" in value]
    assert "HOME=/home/laketag" in env  # `ray up` reads it from the image to place file_mounts


def test_copied_sources_exist_and_reach_the_build() -> None:
    for source in COPIED:
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
def test_everything_else_stays_out_of_the_build(path: str) -> None:
    assert ignored(path)


def test_the_lock_pins_every_package_that_the_image_gets() -> None:
    """The lock file constrains `uv pip install --requirements pyproject.toml`; a package that it does not name would float."""
    locked = {
        canonicalize_name(name)
        for name in re.findall(r"^([\w.-]+)==", (PROJECT / "requirements.lock").read_text(), re.MULTILINE)
    }
    asked = [*map(Requirement, importlib.metadata.requires("laketag") or ())]
    asked = [requirement for requirement in asked if applies(requirement, "")]
    asked += [Requirement("boto3"), Requirement("hatchling")]
    seen: set[str] = set()
    while asked:
        requirement = asked.pop()
        name = canonicalize_name(requirement.name)
        assert name in locked, requirement
        for extra in requirement.extras or {""}:
            if f"{name}[{extra}]" not in seen:
                seen.add(f"{name}[{extra}]")
                inner = map(Requirement, importlib.metadata.requires(name) or ())
                asked += [found for found in inner if applies(found, extra)]
    assert {"ray[data]", "ray[default]"} <= seen


def applies(requirement: Requirement, extra: str) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def test_uv_knows_the_torch_backends_that_the_dockerfile_names() -> None:
    shown = output_of(BIN / "uv", "pip", "install", "--help")
    option = shown.partition("--torch-backend ")[2].partition("\n      --")[0]
    assert {"cpu", "cu126", "cu128"} <= set(re.findall(r"\w+", option))


@pytest.mark.parametrize(("backend", "kept"), [("pypi", True), ("cpu", False), ("cu126", False)])
def test_only_torchs_own_cuda_is_held_to_the_lock(backend: str, kept: bool, tmp_path: Path) -> None:
    """The step's own shell, with an installer that prints its arguments."""
    lock = "cuda-toolkit==1\nnvidia-cublas==1\nray==2\ntorch==2\ntriton==3\n"
    (tmp_path / "requirements.lock").write_text(lock)
    (tmp_path / "uv").write_text('#!/bin/sh\necho "$@"\n')
    (tmp_path / "uv").chmod(0o755)
    command = run_step("constraints.txt").replace("/tmp/", f"{tmp_path}/").replace("\\\n", "")
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "TORCH_BACKEND": backend}
    asked = output_of("sh", "-euc", command, cwd=tmp_path, env=env)
    constraints = (tmp_path / "constraints.txt").read_text()
    assert ("nvidia-cublas" in constraints) is ("triton" in constraints) is kept
    assert "torch==2" in constraints
    assert (f"--torch-backend {backend}" in asked) is not kept
    assert asked.split()[-2:] == ["boto3", "hatchling"]


def test_the_wheel_that_the_image_installs_runs(tmp_path: Path) -> None:
    """The build's COPY and RUN steps in a folder of their own; dependencies are those of this environment."""
    source, target = tmp_path / "src", tmp_path / "opt"
    source.mkdir()
    for name in COPIED:
        if (PROJECT / name).is_dir():
            shutil.copytree(PROJECT / name, source / name, symlinks=True, ignore=_ignored_names)
        else:
            shutil.copy(PROJECT / name, source)
    env = {**os.environ, "VIRTUAL_ENV": str(BIN.parent), "PATH": PATH, "UV_OFFLINE": "1"}
    env.pop("PYTHONPATH", None)
    build = run_step("uv build").replace("/src/", f"{source}/")
    output_of("sh", "-euc", build, cwd=source, env=env)
    install, _, cleanup = run_step("--no-deps").replace("/src/", f"{source}/").partition(" && ")
    assert cleanup == "uv pip uninstall hatchling"
    install = install.replace("--no-deps", f"--no-deps --target {target}")
    output_of("sh", "-euc", install, cwd=source, env=env)
    program = (
        "import laketag.jobs.cli, sys; print(laketag.__file__); "
        "sys.argv = ['laketag', '--version']; laketag.jobs.cli.main()"
    )
    shown = output_of(sys.executable, "-c", program, cwd=tmp_path, env={**env, "PYTHONPATH": str(target)})
    assert str(target) in shown
    assert "laketag 0.1.0" in shown
    assert (target / "bin/laketag").is_file()
    assert not list(target.rglob("training"))


def _ignored_names(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if ignored(str((Path(folder) / name).relative_to(PROJECT)))]

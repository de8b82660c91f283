"""What a job checks on the cluster before it runs, and which version it reports."""

import json
import platform
import subprocess
import sys
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from laketag.jobs.submission.package import build_working_directory
from laketag.jobs.submission.remote import NEEDED, check_python
from laketag.pipeline.errors import AccessError, ClusterError, StorageError
from laketag.pipeline.store.errors import translate
from laketag.pipeline.version import laketag_version
from tests.end_to_end.command_line import command_env

QUERY = ("query", "runs", "--root", "s3://b/lake")
NO_CREDENTIALS = {"AWS_EC2_METADATA_DISABLED": "true", "HOME": "/nonexistent", "AWS_MAX_ATTEMPTS": "1"}


def manifest(folder: Path, python: str) -> Path:
    file = folder / "laketag" / "submitted.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps({"laketag": "0", "python": python}))
    return file


def run_remote(
    folder: Path, *arguments: str, python: tuple[str, ...] = (), env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """A job as Ray runs it: in the shipped folder."""
    command = [sys.executable, *python, "-m", "laketag.jobs.submission.remote", *arguments]
    return subprocess.run(
        command,
        cwd=folder,
        env=command_env(env) | {"PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_same_minor_version_of_python_is_accepted(tmp_path: Path) -> None:
    here = platform.python_version_tuple()
    check_python(manifest(tmp_path, f"{here[0]}.{here[1]}.99"))


def test_another_python_is_refused_with_both_versions_and_the_fix(tmp_path: Path) -> None:
    with pytest.raises(
        ClusterError, match=rf"runs Python {platform.python_version()} .*Python 3\.8\.1; submit from"
    ):
        check_python(manifest(tmp_path, "3.8.1"))


@pytest.mark.parametrize("python", ["3.8.1", platform.python_version()])
def test_a_python_without_laketags_packages_is_refused_in_one_sentence(tmp_path: Path, python: str) -> None:
    """-S hides the installed packages; a wrong version of Python is reported first."""
    build_working_directory(tmp_path, None)
    manifest(tmp_path, python)
    done = run_remote(tmp_path, *QUERY, python=("-S",))
    assert done.returncode == 8, done
    (sentence,) = done.stderr.splitlines()
    if python == "3.8.1":
        assert "submitted from Python 3.8.1" in sentence
    else:
        assert sentence.startswith(
            f"error: the cluster's Python ({sys.executable}) has no package ray, torch, "
        )
        assert sentence.endswith("image of infra/images, or submit with --pinned")


def test_the_checked_modules_are_those_of_the_required_packages() -> None:
    made_by: dict[str, set[str]] = {}
    for module, distributions in packages_distributions().items():
        for distribution in distributions:
            made_by.setdefault(canonicalize_name(distribution), set()).add(module)
    needs = [Requirement(line) for line in requires("laketag") or ()]
    names = [canonicalize_name(need.name) for need in needs if need.marker is None]
    assert len(names) == len(NEEDED)
    assert all(made_by[name] & set(NEEDED) for name in names)


def test_a_job_reports_the_version_that_was_submitted(tmp_path: Path) -> None:
    """Even if another one is installed on the cluster: the table of runs keeps it."""
    build_working_directory(tmp_path, None)
    file = tmp_path / "laketag" / "submitted.json"
    submitted = json.loads(file.read_text())
    assert submitted["laketag"] == laketag_version()
    file.write_text(json.dumps(submitted | {"laketag": "7.8.9"}))
    assert run_remote(tmp_path, "--version").stdout == "laketag 7.8.9\n"


def test_missing_credentials_are_explained_as_the_clusters(tmp_path: Path) -> None:
    build_working_directory(tmp_path, None)
    done = run_remote(tmp_path, *QUERY, env=NO_CREDENTIALS)
    assert done.returncode == 4, done
    assert "no usable credentials for the store" in done.stderr
    assert "laketag submit never sends any" in done.stderr


def test_an_unreachable_store_is_not_explained_by_credentials(tmp_path: Path) -> None:
    build_working_directory(tmp_path, None)
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    done = run_remote(tmp_path, *QUERY, env=NO_CREDENTIALS | keys)
    assert done.returncode == 4, done
    assert "the store cannot be reached" in done.stderr
    assert "never sends any" not in done.stderr


@pytest.mark.parametrize(
    ("url", "error", "kind"),
    [
        ("s3://b/x", PermissionError("Access Denied"), AccessError),
        ("s3://b/x", FileNotFoundError("b/x"), StorageError),
        ("/data/x", PermissionError(13, "Permission denied"), StorageError),  # credentials do not matter
    ],
)
def test_only_an_s3_access_error_is_about_credentials(
    url: str, error: Exception, kind: type[StorageError]
) -> None:
    assert type(translate(url, error)) is kind

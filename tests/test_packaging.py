"""What is built for others: everything under the one name ``laketag``, from a checkout as from a source archive."""

import subprocess
import sys
import tarfile
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("demo", "jobs", "pipeline", "schemas")
NOT_INSTALLED = Path("demo/training")
INFORMATION = f"laketag-{version('laketag')}.dist-info"


def build(source: Path, target: str, folder: Path) -> Path:
    """The archive that hatchling builds of a source tree."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(folder)]
    subprocess.run(command, cwd=source, capture_output=True, check=True, timeout=60)
    (archive,) = folder.glob("laketag-*")
    return archive


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel of this checkout."""
    return zipfile.ZipFile(build(ROOT, "wheel", tmp_path_factory.mktemp("wheel")))


def test_the_package_links_to_the_repositorys_folders() -> None:
    assert {name: (ROOT / "laketag" / name).readlink() for name in FOLDERS} == {
        name: Path("..", name) for name in FOLDERS
    }


def test_the_wheel_installs_nothing_but_laketag(wheel: zipfile.ZipFile) -> None:
    assert {name.partition("/")[0] for name in wheel.namelist()} == {"laketag", INFORMATION}


def test_the_wheel_holds_every_module_and_the_demos_data_but_not_its_training(wheel: zipfile.ZipFile) -> None:
    modules = {
        f"laketag/{file.relative_to(ROOT)}"
        for folder in FOLDERS
        for file in (ROOT / folder).rglob("*.py")
        if NOT_INSTALLED not in file.relative_to(ROOT).parents
    }
    data = {f"laketag/{file.relative_to(ROOT)}" for file in (ROOT / "demo/model").iterdir()}
    data |= {
        "laketag/demo/descriptions.json",
        "laketag/demo/descriptors.json",
        "laketag/demo/settings.toml",
        "laketag/py.typed",
    }
    data |= {
        f"laketag/{file.relative_to(ROOT)}"
        for file in (ROOT / "pipeline/pages").rglob("*.*")
        if file.suffix in (".html", ".css", ".js")
    }
    names = set(wheel.namelist())
    assert modules | data <= names
    assert not [name for name in names if name.startswith(f"laketag/{NOT_INSTALLED}")]


def test_the_wheel_carries_its_licence(wheel: zipfile.ZipFile) -> None:
    metadata = wheel.read(f"{INFORMATION}/METADATA").decode()
    assert "License-Expression: Apache-2.0\nLicense-File: LICENSE\n" in metadata
    assert wheel.read(f"{INFORMATION}/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()


def test_a_wheel_of_the_source_archive_is_the_wheel_of_the_checkout(
    wheel: zipfile.ZipFile, tmp_path: Path
) -> None:
    """hatchling visits each folder once, and an archive that took ``pipeline`` would lack ``laketag/pipeline``."""
    with tarfile.open(build(ROOT, "sdist", tmp_path / "sdist")) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.glob("laketag-*")
    with zipfile.ZipFile(build(source, "wheel", tmp_path / "wheel")) as other:
        assert {info.filename: info.CRC for info in other.infolist()} == {
            info.filename: info.CRC for info in wheel.infolist()
        }


def test_tools_that_walk_the_checkout_visit_each_file_once() -> None:
    ruff = [Path(sys.executable).with_name("ruff"), "check", "--show-files", ROOT]
    shown = subprocess.run(ruff, capture_output=True, text=True, check=True, timeout=60).stdout.splitlines()
    assert len({Path(name).resolve() for name in shown}) == len(shown)

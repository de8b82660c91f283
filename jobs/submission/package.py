"""What a submitted job brings along: this laketag as a working directory, its settings, and the versions installed here."""

import json
import platform
import shutil
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from laketag.jobs.settings import toml_value
from laketag.pipeline.config import Settings
from laketag.pipeline.errors import SettingsError
from laketag.pipeline.version import MANIFEST, laketag_version

PACKAGES = ("pipeline", "jobs", "schemas", "demo")
DATA_SUFFIXES = {"demo": (".json", ".safetensors", ".toml")}
LEFT_BEHIND = {"training"}
SETTINGS_NAME = "submitted-settings.toml"


def build_working_directory(folder: Path, settings: Settings | None) -> None:
    """The folder holds this laketag's packages, its version and the settings, and no other file of their folders."""
    source = Path(__file__).parents[3]
    for package in PACKAGES:
        for file in _shipped(source / "laketag" / package, (".py", *DATA_SUFFIXES.get(package, ()))):
            target = folder / file.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
    shutil.copyfile(source / "laketag" / "__init__.py", folder / "laketag" / "__init__.py")
    if settings is not None:
        (folder / SETTINGS_NAME).write_text(as_shipped(settings), encoding="utf-8")
    manifest = {"laketag": laketag_version(), "python": platform.python_version()}
    (folder / "laketag" / MANIFEST.name).write_text(json.dumps(manifest), encoding="utf-8")


def as_shipped(settings: Settings) -> str:
    """The settings that were set, as TOML; comments in their file are not sent."""
    lines: list[str] = []
    for table, values in settings.model_dump(mode="json", exclude_unset=True).items():
        lines += [f"[{table}]", *(f"{key} = {toml_value(value)}" for key, value in values.items())]
    return "\n".join([*lines, ""])


def pinned_requirements(package: str = "laketag") -> list[str]:
    """``name==version`` for everything that the package needs, directly or not, in the versions installed here.

    Ray installs them once on each node, and is itself there already. Local builds such as +cpu are not named.
    """
    pins: dict[str, str] = {}
    waiting, seen = [(package, "")], set()
    while waiting:
        wanted = waiting.pop()
        if wanted in seen:
            continue
        seen.add(wanted)
        for needed in _needs(*wanted):
            name = canonicalize_name(needed.name)
            try:
                pins[name] = version(name).partition("+")[0]
            except PackageNotFoundError:
                continue  # a need that another package's marker made optional
            waiting += [(name, extra) for extra in ("", *needed.extras)]
    return sorted(f"{name}=={pinned}" for name, pinned in pins.items() if name != "ray")


def _needs(name: str, extra: str) -> list[Requirement]:
    """What a package with this extra needs on a machine like this one."""
    try:
        lines = requires(name) or ()
    except PackageNotFoundError:
        raise SettingsError(
            f"--pinned sends the versions that {name} is installed with, and it is not installed here; "
            "install it (pip install -e .), or leave --pinned out and give the cluster an image of infra/images"
        ) from None
    needs = [Requirement(line) for line in lines]
    return [need for need in needs if need.marker is None or need.marker.evaluate({"extra": extra})]


def _shipped(package: Path, suffixes: tuple[str, ...]) -> Iterator[Path]:
    """The package's own files with these suffixes."""
    for file in sorted(package.rglob("*")):
        inside = file.relative_to(package).parts
        hidden = any(part.startswith(".") or part in LEFT_BEHIND for part in inside)
        if file.suffix in suffixes and file.is_file() and not hidden:
            yield file

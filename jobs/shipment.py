"""What a submitted job brings along: the installed laketag as a working directory, and its settings."""

import importlib.metadata
import json
import platform
import shutil
from pathlib import Path

from packaging.requirements import Requirement

from pipeline.errors import InputError
from pipeline.version import laketag_version

PACKAGES = ("pipeline", "jobs", "schemas", "demo")
SETTINGS_NAME = "submitted-settings.toml"
MANIFEST_NAME = "submitted.json"
INPUTS_NAME = "submitted-inputs"
LEFT_BEHIND = shutil.ignore_patterns("__pycache__", "*.pyc", "training")


def build_working_directory(folder: Path, settings_file: Path | None) -> None:
    """The folder holds this laketag's packages, its version and the settings file; no credential, no environment variable."""
    source = Path(__file__).parent.parent
    for package in PACKAGES:
        shutil.copytree(source / package, folder / package, ignore=LEFT_BEHIND)
    if settings_file is not None:
        try:
            shutil.copyfile(settings_file, folder / SETTINGS_NAME)
        except OSError as error:
            raise InputError(
                f"settings file {settings_file} cannot be read ({error.strerror}); name an existing TOML file"
            ) from None
    manifest = {"laketag": laketag_version(), "python": platform.python_version()}
    (folder / MANIFEST_NAME).write_text(json.dumps(manifest))


def ship_description_files(arguments: list[str], folder: Path) -> list[str]:
    """The arguments of ``describe`` with each local file that they name copied into the folder and named there.

    Images are never shipped: the other commands get their arguments back as they are.
    """
    if arguments[0] != "describe":
        return list(arguments)
    shipped = []
    for number, argument in enumerate(arguments):
        option, equals, value = argument.partition("=") if argument.startswith("--") else ("", "", argument)
        source = Path(value)
        if number and value and source.is_file():
            name = f"{INPUTS_NAME}/{number}/{source.name}"
            (folder / name).parent.mkdir(parents=True)
            shutil.copyfile(source, folder / name)
            argument = f"{option}{equals}{name}"
        shipped.append(argument)
    return shipped


def pinned_requirements() -> list[str]:
    """What laketag needs, in the versions installed here: name==version for each, its own needs included.

    For clusters whose image has no laketag environment; Ray installs them once on each node.
    """
    pins: dict[str, str] = {}
    waiting = ["laketag"]
    while waiting:
        name = waiting.pop()
        for line in importlib.metadata.requires(name) or ():
            requirement = Requirement(line)
            if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
                continue
            needed = requirement.name.lower().replace("_", "-")
            if needed in pins:
                continue
            try:
                pins[needed] = importlib.metadata.version(needed)
            except importlib.metadata.PackageNotFoundError:
                continue  # a need that another package's marker made optional
            waiting.append(needed)
    return sorted(f"{name}=={version}" for name, version in pins.items() if name != "ray")

"""What a submitted job brings along: the installed laketag as a working directory, and its settings."""

import importlib.metadata
import json
import platform
import re
import shutil
from itertools import pairwise
from pathlib import Path

from packaging.requirements import Requirement

from pipeline.errors import InputError
from pipeline.version import laketag_version

PACKAGES = ("pipeline", "jobs", "schemas", "demo")
SETTINGS_NAME = "submitted-settings.toml"
MANIFEST_NAME = "submitted.json"
INPUTS_NAME = "submitted-inputs"
DESCRIBE_FLAGS = ("--show-dropped", "--help", "-h")
"""The options of ``laketag describe`` that take no value; after each other one its value comes."""
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
    """The arguments of ``describe`` with its FILE and that of ``--classes`` copied into the folder, if local, and named there.

    Images are never shipped: the other commands get their arguments back as they are.
    """
    if arguments[0] != "describe":
        return list(arguments)
    shipped = arguments[:1]
    for number, (before, argument) in enumerate(pairwise(arguments), 1):
        is_value = re.fullmatch(r"-\w|--[\w-]+", before) and before not in DESCRIBE_FLAGS
        option, equals, value = argument.partition("=")
        if option == "--classes" and equals:
            argument = f"--classes={_shipped(value, number, folder)}"
        elif before == "--classes" or not (is_value or argument.startswith("-")):
            argument = _shipped(argument, number, folder)
        shipped.append(argument)
    return shipped


def _shipped(path: str, number: int, folder: Path) -> str:
    """Where in the folder the local file now lies; the path itself if there is no such file."""
    source = Path(path)
    if not source.is_file():
        return path
    name = f"{INPUTS_NAME}/{number}/{source.name}"
    (folder / name).parent.mkdir(parents=True)
    shutil.copyfile(source, folder / name)
    return name


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

"""What a submitted job brings along: this laketag as a working directory, and its settings."""

import json
import platform
import shutil
from collections.abc import Iterator
from pathlib import Path

from laketag.jobs.settings import toml_value
from laketag.pipeline.config import Settings
from laketag.pipeline.version import MANIFEST, laketag_version

PACKAGES = ("pipeline", "jobs", "schemas", "demo")
DATA_SUFFIXES = {"demo": (".json", ".safetensors", ".toml")}
LEFT_BEHIND = {"training"}
SETTINGS_NAME = "submitted-settings.toml"


def build_working_directory(folder: Path, settings: Settings | None) -> None:
    """The folder holds this laketag's packages, its version and the settings; nothing that only lay beside them."""
    source = Path(__file__).parents[3]
    for package in PACKAGES:
        for file in _travelling(source / "laketag" / package, (".py", *DATA_SUFFIXES.get(package, ()))):
            target = folder / file.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
    shutil.copyfile(source / "laketag" / "__init__.py", folder / "laketag" / "__init__.py")
    if settings is not None:
        (folder / SETTINGS_NAME).write_text(as_shipped(settings), encoding="utf-8")
    manifest = {"laketag": laketag_version(), "python": platform.python_version()}
    (folder / "laketag" / MANIFEST.name).write_text(json.dumps(manifest))


def as_shipped(settings: Settings) -> str:
    """The settings that were set, as TOML: what else their file holds, such as comments, stays here."""
    lines: list[str] = []
    for table, values in settings.model_dump(mode="json", exclude_unset=True).items():
        lines += [f"[{table}]", *(f"{key} = {toml_value(value)}" for key, value in values.items())]
    return "\n".join([*lines, ""])


def _travelling(package: Path, suffixes: tuple[str, ...]) -> Iterator[Path]:
    """The package's own files with these suffixes."""
    for file in sorted(package.rglob("*")):
        inside = file.relative_to(package).parts
        hidden = any(part.startswith(".") or part in LEFT_BEHIND for part in inside)
        if file.suffix in suffixes and file.is_file() and not hidden:
            yield file

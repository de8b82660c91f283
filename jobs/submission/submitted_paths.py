"""What a path in a submitted command means: something here, which travels, or something that every node sees."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from laketag.jobs.submission.typed_command import TypedCommand
from laketag.pipeline.config import Settings
from laketag.pipeline.errors import InputError, SettingsError

INPUTS_NAME = "submitted-inputs"
LARGEST_INPUT_BYTES = 64 * 2**20
"""A package goes through the memory of the head, to each node."""
PLACES = {"root": "--root", "source": "the source", "output": "--output"}
"""Parameters that name where data lies: it never travels."""
DESCRIPTION_FILES = ("file", "classes")
"""Parameters that name small files, which travel."""
EVERYWHERE = "s3://…, or the absolute path of something that every node of the cluster sees"


def check_places(command: TypedCommand) -> None:
    """Every place of data that the command names means the same on the cluster, or a SettingsError."""
    for parameter, called in PLACES.items():
        place = command.values.get(parameter)
        if place is not None and not _is_everywhere(place):
            raise SettingsError(f"{called} {place} lies below a folder of this machine; give {EVERYWHERE}")


def check_settings_paths(settings: Settings, folder: Path) -> None:
    """Every path in the settings means the same on the cluster or is in the folder that travels, or a SettingsError."""
    for key, path in _checkpoints(settings):
        inside = (folder / path).resolve()
        travels = inside.exists() and inside.is_relative_to(folder.resolve())
        if not _is_everywhere(path) and not travels:
            raise SettingsError(
                f"{key}: {path} lies on this machine, and checkpoints do not travel; give {EVERYWHERE}"
            )
    for root in settings.fetch.allowed_roots:
        if root.startswith("~"):
            raise SettingsError(
                f"fetch.allowed_roots: {root} is another folder on the cluster; give {EVERYWHERE}"
            )


def ship_description_files(command: TypedCommand, folder: Path) -> dict[str, str]:
    """The files of descriptions and classes that lie here are in the folder; where there, by parameter."""
    shipped = {}
    for parameter in DESCRIPTION_FILES:
        path = command.values.get(parameter)
        if path is None or "://" in path:
            continue
        source = Path(path).expanduser()
        try:
            if source.is_file():
                shipped[parameter] = _shipped(source, f"{INPUTS_NAME}/{parameter}", folder)
                continue
        except OSError as error:
            raise InputError(
                f"{path} cannot be read ({error.strerror}); change its rights, or name another file"
            ) from None
        if not _is_everywhere(path):
            raise InputError(f"{path}: no such file here; correct the path, or give {EVERYWHERE}")
    return shipped


def _shipped(source: Path, place: str, folder: Path) -> str:
    """The file lies at the place in the folder, under its own name; its path there."""
    if source.stat().st_size > LARGEST_INPUT_BYTES:
        raise InputError(
            f"{source} has more than {LARGEST_INPUT_BYTES // 2**20} MiB, too much to travel with a job; "
            "copy it to s3://… and name it there"
        )
    (folder / place).mkdir(parents=True)
    shutil.copyfile(source, folder / place / source.name)
    return f"{place}/{source.name}"


def _is_everywhere(path: str) -> bool:
    return "://" in path or Path(path).is_absolute()


def _checkpoints(settings: Settings) -> Iterator[tuple[str, str]]:
    """Each path or URL of a checkpoint, and the key that names it."""
    backbone, weights = settings.backbone, settings.attention.weights
    for key, value in (("backbone.pretrained", backbone.pretrained), ("backbone.name", backbone.name)):
        if value.startswith("local-dir:"):
            yield key, value.removeprefix("local-dir:")
    if not backbone.pretrained.startswith("local-dir:") and set(backbone.pretrained) & set(
        "/."
    ):  # else a tag
        yield "backbone.pretrained", backbone.pretrained
    if weights is not None:
        yield "attention.weights", weights

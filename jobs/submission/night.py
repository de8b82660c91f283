"""The file of a night, sent with a submitted ``laketag nightly``: with its settings and description files, and no comment."""

from collections.abc import Sequence
from pathlib import Path

from laketag.jobs.settings import toml_value
from laketag.jobs.submission.command import (
    DESCRIPTION_FILES,
    INPUTS_NAME,
    check_places,
    ship_description_files,
)
from laketag.jobs.submission.package import as_shipped
from laketag.pipeline.errors import InputError
from laketag.pipeline.flows.night_file import NightCollection, NightFile, place, read_written

NIGHT_NAME = "submitted-night.toml"


def read_night_as_written(
    file: Path | str, overrides: Sequence[str], settings: Path | str | None
) -> NightFile:
    """The night with the paths that its file has; a SettingsError if a place of data is of this machine only.

    The paths of description files, which are sent, are those on this machine.
    """
    night = read_written(file, overrides, settings=settings)
    folder = Path(file).expanduser().absolute().parent
    check_places({"root": night.root})
    for one in night.collection:
        check_places({"source": one.source})
    return night.model_copy(
        update={"collection": tuple(one.model_copy(update=_found(folder, one)) for one in night.collection)}
    )


def _found(folder: Path, collection: NightCollection) -> dict[str, str]:
    """The paths of description files on this machine; an InputError if a relative one is no file."""
    found = {}
    for name, path in collection.written_paths.items():
        if name in DESCRIPTION_FILES:
            found[name] = place(folder, path)
            if found[name] != path and not Path(found[name]).is_file():
                raise InputError(
                    f"{found[name]}: no such file on this machine; correct the path in the night's file"
                )
    return found


def ship_night(night: NightFile, folder: Path) -> str:
    """The night and its local files of descriptions are in the folder; returns the name of its file there."""
    lines = [f"root = {toml_value(night.root)}"] if night.root else []
    lines.append(as_shipped(night.set_settings))
    for number, one in enumerate(night.collection):
        values = one.model_dump(mode="json", by_alias=True, exclude_unset=True)
        values |= ship_description_files(values, folder, Path(INPUTS_NAME, str(number)))
        lines += ["[[collection]]", *(f"{key} = {toml_value(value)}" for key, value in values.items()), ""]
    (folder / NIGHT_NAME).write_text("\n".join(lines), encoding="utf-8")
    return NIGHT_NAME

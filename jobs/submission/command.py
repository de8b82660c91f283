"""A laketag command as it was typed, read by its own options before it is sent; its paths must exist on the cluster too."""

import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperArgument, TyperGroup

from laketag.pipeline.config import Settings, local_dir
from laketag.pipeline.descriptions.imagenet import SUBSETS
from laketag.pipeline.errors import InputError, SettingsError
from laketag.pipeline.store.locations import expand_home

SUBMITTED = ("index", "describe", "label", "nightly", "query")
INPUTS_NAME = "submitted-inputs"
PLACES = {"root": "--root", "source": "the source", "output": "--output"}
"""Parameters that say where data is: data is never sent with a job."""
DESCRIPTION_FILES = ("file", "descriptions", "classes", "only")
"""Parameters that name small files, which are sent with the job; ``only`` may name a subset of ImageNet instead."""
EVERYWHERE = "s3://…, or the absolute path of something that every node of the cluster sees"


@dataclass(frozen=True)
class TypedCommand:
    """A command that the cluster can run: its names, such as query labels, and the values of its options."""

    typed: tuple[str, ...]
    names: tuple[str, ...]
    options: tuple[Any, ...]  # typer's parameters
    values: Mapping[str, Any]  # by parameter

    @property
    def name(self) -> str:
        """The command: one of SUBMITTED."""
        return self.names[0]

    def words(self, changed: Mapping[str, str]) -> tuple[str, ...]:
        """The words of the same command with some values changed; operands come last, after ``--``."""
        options: list[str] = []
        operands: list[str] = []
        for option in self.options:
            value = changed.get(option.name, self.values[option.name])
            if isinstance(option, TyperArgument):
                operands += [] if value is None else [str(value)]
            elif value is True:
                options.append(option.opts[0])
            elif value is False and option.secondary_opts and value != option.default:
                options.append(option.secondary_opts[0])
            elif value is not None and value is not False and value != option.default:
                for one in value if isinstance(value, tuple | list) else [value]:
                    options += [option.opts[0], str(one)]
        return (*self.names, *options, *(["--", *operands] if operands else []))


def read_command(words: Sequence[str]) -> TypedCommand:
    """The command, if a cluster can run it and laketag accepts its options; else a SettingsError. It is not run."""
    typed = tuple(words[1:] if list(words[:1]) == ["laketag"] else words)
    if not typed or typed[0] not in SUBMITTED:
        raise SettingsError(
            f"{shlex.join(typed) or 'nothing'!r} cannot be submitted; after -- comes one of: {', '.join(SUBMITTED)}"
        )
    try:
        names, context = _parse(typed)
    except typer.TyperException as error:  # what typer itself would print
        raise SettingsError(
            f"laketag {shlex.join(typed)} cannot be run: {error.format_message().rstrip('.')}; "
            f"see: laketag {typed[0]} --help"
        ) from None
    source = context.get_parameter_source("settings")
    # and not LAKETAG_SETTINGS, which submit reads itself
    if source is not None and source.name == "COMMANDLINE":
        raise SettingsError(
            "the cluster does not have this settings file; give --settings before --, so that it is sent along"
        )
    return TypedCommand(typed, names, tuple(context.command.params), context.params | {"settings": None})


def check_places(values: Mapping[str, Any]) -> None:
    """Every place of data among the values of a command or a night is the same on the cluster, or a SettingsError."""
    for parameter, called in PLACES.items():
        place = values.get(parameter)
        if place is not None and not _is_everywhere(place):
            raise SettingsError(
                f"{called} {place} is relative to a folder of this machine; give {EVERYWHERE}"
            )


def check_settings_paths(settings: Settings, folder: Path) -> None:
    """Every path in the settings is the same on the cluster or is in the folder that is sent, or a SettingsError."""
    for key, path in _checkpoints(settings):
        inside = (folder / path).resolve()
        is_sent = inside.exists() and inside.is_relative_to(folder.resolve())
        if not _is_everywhere(path) and not is_sent:
            raise SettingsError(
                f"{key}: {path} is on this machine, and checkpoints are not sent; give {EVERYWHERE}"
            )
    for root in settings.fetch.allowed_roots:
        if root.startswith("~"):
            raise SettingsError(
                f"fetch.allowed_roots: {root} is another folder on the cluster; give {EVERYWHERE}"
            )


def ship_description_files(
    values: Mapping[str, Any], folder: Path, inputs: Path = Path(INPUTS_NAME)
) -> dict[str, str]:
    """The local files of descriptions and classes are copied into ``inputs`` in the folder; their paths in it, by parameter."""
    shipped = {}
    for parameter in DESCRIPTION_FILES:
        path = values.get(parameter)
        if path is None or "://" in path or path in SUBSETS:
            continue
        source = expand_home(path)
        target = inputs / parameter / source.name
        try:
            if source.is_file():
                (folder / target).parent.mkdir(parents=True)
                shutil.copyfile(source, folder / target)
                shipped[parameter] = str(target)
                continue
        except OSError as error:
            raise InputError(
                f"{path} cannot be read ({error.strerror}); change its permissions, or name another file"
            ) from None
        if not _is_everywhere(path):
            raise InputError(f"{path}: no such file on this machine; correct the path, or give {EVERYWHERE}")
    return shipped


def _parse(typed: Sequence[str]) -> tuple[tuple[str, ...], Any]:
    """The names of the command and typer's context of it; only --help has an effect, which is to print and exit."""
    from laketag.jobs.cli import command_line

    name, command, rest, context, names = "laketag", command_line(), list(typed), None, []
    while isinstance(command, TyperGroup):
        context = typer.Context(command, info_name=name, parent=context, **command.context_settings)
        if not rest:
            context.fail(f"a command is missing, one of: {', '.join(command.commands)}")
        found, inner, rest = command.resolve_command(context, rest)
        name, command = str(found), inner
        names.append(name)
    return tuple(names), command.make_context(name, rest, parent=context)


def _is_everywhere(path: str) -> bool:
    return "://" in path or Path(path).is_absolute()


def _checkpoints(settings: Settings) -> Iterator[tuple[str, str]]:
    """Each path or URL of a checkpoint, and the key that names it."""
    backbone, weights = settings.backbone, settings.attention.weights
    for key, value in (("backbone.pretrained", backbone.pretrained), ("backbone.name", backbone.name)):
        if folder := local_dir(value):
            yield key, folder
    is_path = set(backbone.pretrained) & set("/.")  # and not one of open_clip's tags
    if is_path and not local_dir(backbone.pretrained):
        yield "backbone.pretrained", backbone.pretrained
    if weights is not None:
        yield "attention.weights", weights

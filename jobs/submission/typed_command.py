"""A laketag command as it was typed, read by its own options before it is sent anywhere."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import typer
from typer.core import TyperArgument, TyperGroup

from laketag.pipeline.errors import SettingsError

SUBMITTED = ("index", "describe", "label", "query")


@dataclass(frozen=True)
class TypedCommand:
    """A command that the cluster can run: its words, and what its own options make of them."""

    words: tuple[str, ...]
    options: tuple[Any, ...]  # typer's parameters
    values: Mapping[str, Any]  # by their names in Python

    @property
    def name(self) -> str:
        """The sub-command: index, describe, label or query."""
        return self.words[0]


def read_command(typed: Sequence[str]) -> TypedCommand:
    """The command, if it is one for a cluster and laketag would take it; else a SettingsError. Nothing of it is run."""
    words = tuple(typed[1:] if list(typed[:1]) == ["laketag"] else typed)
    if not words or words[0] not in SUBMITTED:
        raise SettingsError(
            f"{shlex.join(words) or 'nothing'!r} cannot be submitted; after -- comes one of: {', '.join(SUBMITTED)}"
        )
    try:
        context = _parse(words)
    except typer.TyperException as error:  # what typer itself would print
        said = error.format_message().rstrip(".")
        raise SettingsError(
            f"laketag {shlex.join(words)} cannot be run: {said}; see: laketag {words[0]} --help"
        ) from None
    if context.params.get("settings") is not None:
        raise SettingsError(
            "the cluster has no such settings file; give --settings before --, so that it is sent along"
        )
    return TypedCommand(words, tuple(context.command.params), context.params)


def rewritten(command: TypedCommand, changed: Mapping[str, str]) -> tuple[str, ...]:
    """Words that mean the same as the command's, with some values changed: of commands without sub-commands."""
    operands: list[str] = []
    options: list[str] = []
    for option in command.options:
        value = changed.get(option.name, command.values[option.name])
        if isinstance(option, TyperArgument):
            operands.append(str(value))
        elif value is True:
            options.append(option.opts[0])
        elif value is not None and value is not False:
            for one in value if isinstance(value, tuple | list) else [value]:
                options += [option.opts[0], str(one)]
    return (command.name, *operands, *options)


def with_settings(words: tuple[str, ...], file: str) -> tuple[str, ...]:
    """The words with ``--settings FILE`` where options may stand: before a ``--``, else at the end."""
    place = words.index("--") if "--" in words else len(words)
    return (*words[:place], "--settings", file, *words[place:])


def _parse(words: Sequence[str]) -> Any:
    """Typer's context of the innermost command; only --help has a callback, which prints and ends."""
    from laketag.jobs.cli import command_line  # imports this module's command itself

    name, command, rest, context = "laketag", command_line(), list(words), None
    while isinstance(command, TyperGroup):
        context = typer.Context(command, info_name=name, parent=context, **command.context_settings)
        if not rest:
            context.fail(f"a command is missing, one of: {', '.join(command.commands)}")
        found, inner, rest = command.resolve_command(context, rest)
        name, command = str(found), inner
    return command.make_context(name, rest, parent=context)

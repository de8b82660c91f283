"""Reading the settings: one TOML file with a table for each part, and ``table.key=value`` overrides."""

import codecs
import difflib
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from laketag.pipeline.config import Settings
from laketag.pipeline.errors import SettingsError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


Read = TypeVar("Read", bound=Settings)


def read_settings(file: Path | str | None = None, overrides: Iterable[str] = ()) -> Settings:
    """The settings of the file with the overrides applied; one SettingsError names everything that is wrong."""
    return read_settings_as(Settings, [] if file is None else [file], overrides)


def read_settings_as(kind: type[Read], files: Sequence[Path | str], overrides: Iterable[str] = ()) -> Read:
    """As read_settings, of files that may hold more than settings; a key of a later file replaces that of an earlier one."""
    values: dict[str, Any] = {}
    for file in files:
        for name, value in _read_toml(Path(file)).items():
            is_table = isinstance(value, dict) and isinstance(values.get(name), dict)
            values[name] = values[name] | value if is_table else value
    problems = [problem for override in overrides if (problem := _apply(values, override))]
    try:
        settings = kind.model_validate(values)
    except ValidationError as error:
        problems += [_describe(detail, kind) for detail in _causes(error.errors())]
    if problems:
        where = f" in {' and '.join(map(str, files))}" if files else ""
        raise SettingsError(
            f"{len(problems)} wrong setting(s){where}:\n" + "\n".join(f"  {p}" for p in problems)
        )
    return settings


def _read_toml(file: Path) -> dict[str, Any]:
    if "\0" in str(file):
        raise SettingsError(
            f"settings file {str(file)!r} has a NUL character, which no path has; write it without"
        )
    try:
        written = file.read_bytes().removeprefix(codecs.BOM_UTF8)
        return tomllib.loads(written.decode())
    except OSError as error:
        raise SettingsError(
            f"settings file {file} cannot be read ({error.strerror}); name an existing TOML file"
        ) from None
    except UnicodeDecodeError as error:
        before = written[: error.start].decode(errors="replace")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        raise SettingsError(
            f"settings file {file} is not UTF-8: the byte 0x{written[error.start]:02x} at line {line}, column {column}; "
            "save it as UTF-8"
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"settings file {file} is not TOML: {error}; correct that line") from None


def _apply(values: dict[str, Any], override: str) -> str | None:
    """Set one ``table.key=value`` in values, or remove the key for ``table.key=``; returns what is wrong with it, if anything."""
    path, equals, text = override.partition("=")
    table, dot, key = path.strip().partition(".")
    if not (equals and dot and table and key):
        return f"{override!r}: write table.key=value, for example method.crops=16"
    section = values.setdefault(table, {})
    if not isinstance(section, dict):
        return f"{table}: is a table of settings, not the value {section!r}"
    if not text.strip() and key in _keys_at(Settings, [table]):
        section.pop(key, None)
        return None
    try:
        section[key] = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        section[key] = text  # a string without quotes
    return None


def _causes(details: "Sequence[ErrorDetails]") -> "list[ErrorDetails]":
    """The errors without those of a list that is too short only because its entries are wrong."""
    return [
        one
        for one in details
        if one["type"] != "too_short"
        or not any(other["loc"][:-1][: len(one["loc"])] == one["loc"] for other in details)
    ]


def _describe(detail: "ErrorDetails", kind: type[Settings]) -> str:
    """The setting, the value received and the rule, from one of pydantic's errors."""
    where = ".".join(str(part + 1 if isinstance(part, int) else part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        known = _keys_at(kind, detail["loc"][:-1])
        near = difflib.get_close_matches(str(detail["loc"][-1]), known, 1)
        return (
            f"{where}: no such setting; "
            + (f"did you mean {near[0]}? " if near else "")
            + f"known here: {', '.join(known)}"
        )
    if detail["type"] == "missing":
        return f"{where}: is missing; write it"
    message = detail["msg"].removeprefix("Value error, ")
    return f"{where} = {detail['input']!r}: {message[0].lower()}{message[1:]}"


def _keys_at(kind: type[BaseModel], place: Sequence[str | int]) -> list[str]:
    """The keys of the table at this place of a file, none if there is no such table."""
    for name in (part for part in place if isinstance(part, str)):
        fields = {field.alias or key: field for key, field in kind.model_fields.items()}
        if name not in fields:
            return []
        annotation = fields[name].annotation
        found = [one for one in (annotation, *get_args(annotation)) if isinstance(one, type)]
        tables = [one for one in found if issubclass(one, BaseModel)]
        if not tables:
            return []
        kind = tables[0]
    return [field.alias or key for key, field in kind.model_fields.items()]

"""Reading the settings: one TOML file with a table for each part, and ``table.key=value`` overrides."""

import codecs
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from laketag.pipeline.config import Settings
from laketag.pipeline.errors import SettingsError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


def read_settings(file: Path | str | None = None, overrides: Iterable[str] = ()) -> Settings:
    """The settings of the file with the overrides applied; one SettingsError names everything that is wrong."""
    values = {} if file is None else _read_toml(Path(file))
    problems = [problem for override in overrides if (problem := _apply(values, override))]
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        problems += [_describe(detail) for detail in error.errors()]
    if problems:
        where = f" in {file}" if file else ""
        raise SettingsError(
            f"{len(problems)} wrong setting(s){where}:\n" + "\n".join(f"  {p}" for p in problems)
        )
    return settings


def _read_toml(file: Path) -> dict[str, Any]:
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
    if not text.strip() and key in _keys_of(table):
        section.pop(key, None)
        return None
    try:
        section[key] = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        section[key] = text  # a string without quotes
    return None


def _describe(detail: "ErrorDetails") -> str:
    """The setting, the value received and the rule, from one of pydantic's errors."""
    where = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        known = _keys_of(str(detail["loc"][0])) if len(detail["loc"]) > 1 else list(Settings.model_fields)
        return f"{where}: no such setting; known here: {', '.join(known)}"
    message = detail["msg"].removeprefix("Value error, ")
    return f"{where} = {detail['input']!r}: {message[0].lower()}{message[1:]}"


def _keys_of(table: str) -> list[str]:
    """The settings of one table, none if there is no such table."""
    field = Settings.model_fields.get(table)
    return list(type(field.default).model_fields) if field else []

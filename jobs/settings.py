"""``laketag settings``: every setting with its value and meaning, as a TOML file to start from."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from laketag.jobs.console import open_console
from laketag.pipeline.config import Settings
from laketag.pipeline.settings_file import read_settings


def settings(*, settings: Path | str | None = None, override: Sequence[str] = ()) -> None:
    """Print every setting with its value and meaning, as TOML.

    Redirect it into a file to have one to start from.
    """
    text = as_toml(read_settings(settings, override))
    console = open_console()
    if console.is_terminal:
        from rich.syntax import Syntax

        console.print(Syntax(text, "toml", background_color="default"))
    else:
        typer.echo(text)


def as_toml(settings: Settings) -> str:
    """The settings as commented TOML; an unset key is commented out."""
    lines: list[str] = []
    for table, field in Settings.model_fields.items():
        section = getattr(settings, table)
        lines += [f"# {(type(section).__doc__ or '').splitlines()[0]}", f"[{table}]"]
        for key, item in type(field.default).model_fields.items():
            value = getattr(section, key)
            entry = f"# {key} =" if value is None else f"{key} = {toml_value(value)}"
            lines.append(f"{entry:<40} # {item.description}")
        lines.append("")
    return "\n".join(lines)


def toml_value(value: Any) -> str:
    """A TOML value: the JSON of a string, number, boolean or list is TOML as well."""
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)

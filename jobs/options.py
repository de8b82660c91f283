"""Options that several commands share."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

Root = Annotated[
    str, typer.Option("--root", help="The lake: a folder or s3://bucket/prefix.", show_default=False)
]
Collection = Annotated[
    str, typer.Option("--collection", "-c", help="Name of the image collection.", show_default=False)
]
DescriptionSet = Annotated[
    str, typer.Option("--set", "-s", help="Name of the description set.", show_default=False)
]
SettingsFile = Annotated[
    Path | None,
    typer.Option("--settings", help="TOML file with settings; see 'laketag settings'.", show_default=False),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--override",
        "-o",
        metavar="TABLE.KEY=VALUE",
        help="Set one key; may be repeated.",
        show_default=False,
    ),
]


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """The command with the fields of its dataclass parameters as options of its own, for typer."""
    parameters = inspect.signature(command, eval_str=True).parameters
    groups: dict[str, Any] = {
        name: p.annotation for name, p in parameters.items() if is_dataclass(p.annotation)
    }
    options: list[inspect.Parameter] = []
    for name, parameter in parameters.items():
        if name not in groups:
            options.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))
            continue
        signature = inspect.signature(groups[name]).parameters
        hints = get_type_hints(groups[name], include_extras=True)
        options += [option.replace(annotation=hints[option.name]) for option in signature.values()]

    @functools.wraps(command)
    def run(**values: Any) -> None:
        made = {
            name: group(
                **{field.name: values.pop(field.name) for field in fields(group) if field.name in values}
            )
            for name, group in groups.items()
        }
        command(**values, **made)

    run.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]  # what typer reads
    run.__annotations__ = {option.name: option.annotation for option in options}
    return run

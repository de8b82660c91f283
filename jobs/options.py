"""Options that several commands share."""

from pathlib import Path
from typing import Annotated, Any

import typer


def argument(kind: Any, help: str, **more: Any) -> Any:
    """The annotation of a word of the command line that is no option."""
    return Annotated[kind, typer.Argument(help=help, show_default=False, **more)]


def value(kind: Any, *names: str, **more: Any) -> Any:
    """The annotation of an option with a default, which help shows."""
    return Annotated[kind, typer.Option(*names, **more)]


def flag(*names: str, help: str) -> Any:
    """The annotation of a switch."""
    return value(bool, *names, help=help)


def option(kind: Any, *names: str, **more: Any) -> Any:
    """The annotation of an option whose value is of this kind, or None if it is left out; help shows no default."""
    return value(kind | None, *names, show_default=False, **more)


SettingsFile = Annotated[
    Path | None,
    typer.Option(
        "--settings",
        metavar="FILE",
        help="TOML file with settings; see 'laketag settings'.",
        envvar="LAKETAG_SETTINGS",
        show_default=False,
    ),
]
Address = Annotated[
    str | None,
    typer.Option(
        "--address",
        metavar="URL",
        help="Ray dashboard of the cluster, such as http://127.0.0.1:8265.",
        show_default=False,
    ),
]
ROOT_HELP = "The lake: a folder, s3://bucket/prefix or az://container/prefix."
SHARED: dict[str, Any] = {
    "root": option(str, "--root", metavar="LAKE", help=ROOT_HELP, envvar="LAKETAG_ROOT"),
    "collection": option(str, "--collection", "-c", metavar="NAME", help="Name of the image collection."),
    "description_set": option(str, "--set", "-s", metavar="NAME", help="Name of the description set."),
    "settings": SettingsFile,
    "override": option(
        list[str],
        "--override",
        "-o",
        metavar="T.KEY=VALUE",
        help="Set one key, such as method.crops=16; may be repeated.",
    ),
    "max_hours": option(
        float,
        "--max-hours",
        metavar="H",
        help="Take no more work after so many hours, and publish what is done.",
    ),
    "verbose": flag("--verbose", "-v", help="Also print what concerns operators: slots, actors, logs."),
    "as_json": flag(
        "--json", help="Print counts and exit code as one JSON object, and all else on standard error."
    ),
}
"""By the names that parameters of the Python API have; a command takes those of its parameters."""
ALIASES = {"description-set": "set", "class": "label", "run": "run-id", "reason": "failure"}
"""Other names under which options are known; help shows one of them."""


def normalise_option(name: str) -> str:
    """The name that an option was declared with."""
    return ALIASES.get(name, name)

"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Root = Annotated[
    str,
    typer.Option(
        "--root",
        metavar="LAKE",
        help="The lake: a folder, s3://bucket/prefix or az://container/prefix.",
        envvar="LAKETAG_ROOT",
        show_default=False,
    ),
]
Collection = Annotated[
    str,
    typer.Option(
        "--collection", "-c", metavar="NAME", help="Name of the image collection.", show_default=False
    ),
]
DescriptionSet = Annotated[
    str, typer.Option("--set", "-s", metavar="NAME", help="Name of the description set.", show_default=False)
]
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
Overrides = Annotated[
    list[str],
    typer.Option(
        "--override",
        "-o",
        metavar="T.KEY=VALUE",
        help="Set one key, such as method.crops=16; may be repeated.",
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
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Also print what concerns operators: slots, actors, logs.")
]
AsJson = Annotated[
    bool,
    typer.Option(
        "--json", help="Print counts and exit code as one JSON object, and all else on standard error."
    ),
]
MaxHours = Annotated[
    float | None,
    typer.Option(
        "--max-hours",
        metavar="H",
        help="Take no more work after so many hours, and publish what is done.",
        show_default=False,
    ),
]
SHARED = {
    "root": Root,
    "collection": Collection,
    "description_set": DescriptionSet,
    "settings": SettingsFile,
    "override": Overrides,
    "verbose": Verbose,
}
"""By the names that parameters of the Python API have."""
ALIASES = {"description-set": "set", "class": "label", "run": "run-id", "reason": "failure"}
"""Other names under which options are known; help shows one of them."""


def normalise_option(name: str) -> str:
    """The name that an option was declared with."""
    return ALIASES.get(name, name)

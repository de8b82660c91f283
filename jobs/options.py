"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Root = Annotated[
    str,
    typer.Option(
        "--root", help="The lake: a folder, s3://bucket/prefix or az://container/prefix.", show_default=False
    ),
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
    list[str],
    typer.Option(
        "--override",
        "-o",
        metavar="TABLE.KEY=VALUE",
        help="Set one key; may be repeated.",
        show_default=False,
    ),
]
Address = Annotated[
    str | None,
    typer.Option(
        "--address", help="Ray dashboard of the cluster, such as http://127.0.0.1:8265.", show_default=False
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

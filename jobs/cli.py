"""The command ``laketag``: one sub-command for each file beside this one."""

import importlib
import os
import signal
import sys
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console

from pipeline.errors import LaketagError
from pipeline.version import laketag_version

app = typer.Typer(
    name="laketag",
    help="Zero-shot labels for every image of a lake.\n\n"
    "The order of work: index the images, describe the classes, label, query.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

INTERRUPTED = 130
COMMANDS = ("index", "describe", "label", "query", "demo", "settings", "submit", "jobs")


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"laketag {laketag_version()}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Hold the options that belong to no command."""


def _register() -> None:
    """Give the app its commands, in the order in which people need them."""
    for name in COMMANDS:
        module = importlib.import_module(f"jobs.{name}")
        group = getattr(module, "app", None)
        if group is not None:
            app.add_typer(group, name=name)
        else:
            app.command(name)(getattr(module, name))


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> None:
    """Run the command line; a mistake of the caller ends in one sentence, not a stack trace."""
    signal.signal(signal.SIGTERM, _interrupt)  # a stopped job ends as Ctrl-C does: leases are released
    _register()
    console = Console(stderr=True)
    try:
        app()
    except LaketagError as error:
        console.print("[bold red]error:[/] ", end="")
        console.print(str(error), markup=False, highlight=False, soft_wrap=True)
        sys.exit(error.exit_code)
    except SystemExit as ended:
        if ended.code == INTERRUPTED:  # typer makes this of a KeyboardInterrupt, and says nothing
            console.print("stopped; what was done is kept, and the same command goes on from there")
        raise
    except BrokenPipeError:  # `laketag query … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)

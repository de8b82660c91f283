"""The command ``laketag``: one sub-command for each file beside this one."""

import functools
import importlib
import signal
from types import FrameType
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from laketag.jobs.console import open_console
from laketag.jobs.standard_output import discard_output
from laketag.pipeline.errors import LaketagError
from laketag.pipeline.version import laketag_version

COMMANDS = ("index", "describe", "label", "query", "demo", "submit", "jobs", "settings")
"""In the order in which people need them."""


class InOrder(TyperGroup):
    """Lists its commands in that order; typer alone would put groups last."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002  # the super class names it
        """Names of the commands."""
        return [name for name in COMMANDS if name in self.commands]


app = typer.Typer(
    name="laketag",
    cls=InOrder,
    help="Zero-shot labels for every image of a lake.\n\n"
    "The order of work: index the images, describe the classes, label, query.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


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


@functools.cache
def command_line() -> Any:
    """The whole command line, to be called or only to read arguments with."""
    for name in COMMANDS:
        module = importlib.import_module(f"laketag.jobs.{name}")
        group = getattr(module, "app", None)
        if group is not None:
            app.add_typer(group, name=name)
        else:
            app.command(name)(getattr(module, name))
    return typer.main.get_command(app)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> None:
    """Run the command line; a mistake of the caller ends in one sentence, not a stack trace."""
    signal.signal(signal.SIGTERM, _interrupt)  # a stopped job ends as Ctrl-C does: leases are released
    console = open_console(stderr=True)
    try:
        command_line()()
    except LaketagError as error:
        console.print("error: ", style="bold red", end="")
        console.print(str(error), soft_wrap=True)
        raise SystemExit(error.exit_code) from error
    except SystemExit as ended:
        cause = _cause(ended)
        if isinstance(cause, KeyboardInterrupt):
            console.print("stopped; what was done is kept, and the same command goes on from there")
        if isinstance(cause, BrokenPipeError):  # `laketag query … | head`
            discard_output()
            raise SystemExit(0) from None
        raise


def _cause(ended: SystemExit) -> BaseException | None:
    """What typer made the exit of: Ctrl-C (through an Exit of its own) or a closed pipe; a command's exit code has none."""
    made_of = ended.__context__
    return made_of.__cause__ if isinstance(made_of, typer.Exit) else made_of

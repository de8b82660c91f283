"""The command ``laketag``: one sub-command for each file beside this one, imported when it is called."""

import functools
import importlib
import inspect
import signal
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from laketag.jobs.console import discard_output, open_console
from laketag.jobs.options import normalise_option
from laketag.pipeline.errors import ExitCode, LaketagError
from laketag.pipeline.screen import Screen

COMMANDS = {
    "index": "Write a snapshot of which images a collection holds, and in which versions.",
    "describe": "Write the descriptions of the classes, embedded, as a new version of a description set.",
    "label": "Label the images of a collection that have no label yet, or have changed.",
    "query": "Query the label tables: runs, labels, those in doubt, tags, failures, a summary, or SQL.",
    "demo": "Make a small image lake, label it, and show the result; offline, in about a minute.",
    "submit": "Run a laketag command on a Ray cluster, follow its log and end with its exit code.",
    "jobs": "List, follow and stop the laketag jobs of a cluster.",
    "settings": "Print every setting with its value and meaning, as TOML.",
}
"""The help of each command, in the order in which people need them: listing it imports none of them."""


class LazyGroup(TyperGroup):
    """Knows its commands by name and help, and imports the file of a command when the command is called."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands = {name: TyperCommand(name, help=text) for name, text in COMMANDS.items()}

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that the first argument names, imported."""
        if args[0] in COMMANDS:
            self.commands[args[0]] = load_command(args[0])
        return super().resolve_command(ctx, args)


app = typer.Typer(
    name="laketag",
    cls=LazyGroup,
    help="Zero-shot labels for every image of a lake.\n\n"
    "The order of work: index the images, describe the classes, label, query.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "token_normalize_func": normalise_option},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from laketag.pipeline.version import laketag_version

        typer.echo(f"laketag {laketag_version()}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Declare the options that belong to no command."""


@functools.cache
def load_command(name: str) -> Any:
    """The command that the file of this name defines: its ``app`` if it has sub-commands, else its function."""
    module = importlib.import_module(f"laketag.jobs.{name}")
    loaded = typer.Typer(rich_markup_mode="markdown")
    if hasattr(module, "app"):
        loaded.add_typer(module.app, name=name)
    else:
        loaded.command(name)(on_terminal(getattr(module, name), getattr(module, "OPTIONS", {})))
    return typer.main.get_group(loaded).commands[name]


def on_terminal(function: Callable[..., object], options: Mapping[str, Any]) -> Callable[..., None]:
    """A function of the Python API as a command: it prints on its ``console``, and what it returns may have an exit code.

    ``options`` are the annotations that typer reads instead of the function's own.
    """
    signature = inspect.signature(function)
    parameters = [
        parameter.replace(annotation=options.get(name, parameter.annotation))
        for name, parameter in signature.parameters.items()
        if name != "console"
    ]

    @functools.wraps(function)
    def command(**values: Any) -> None:
        result = function(
            **values, **({"console": open_console()} if "console" in signature.parameters else {})
        )
        if code := getattr(result, "exit_code", ExitCode.DONE):
            raise typer.Exit(code)

    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what typer reads
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command


def command_line() -> Any:
    """The whole command line, to be called or only to read arguments with."""
    return typer.main.get_command(app)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> None:
    """Run the command line; a user's mistake ends in one sentence, not in a traceback."""
    signal.signal(signal.SIGTERM, _interrupt)  # a stopped job ends as on Ctrl-C and releases its lease
    console = open_console(stderr=True)
    try:
        command_line()()
    except LaketagError as error:
        Screen(console).error(str(error))
        raise SystemExit(error.exit_code) from error
    except SystemExit as ended:
        cause = _cause(ended)
        if isinstance(cause, KeyboardInterrupt):
            console.print("stopped; finished work is kept, and the same command resumes it")
        if isinstance(cause, BrokenPipeError):  # `laketag query … | head`
            discard_output()
            raise SystemExit(0) from None
        raise


def _cause(ended: SystemExit) -> BaseException | None:
    """The exception that typer turned into this exit: Ctrl-C (through typer's Exit) or a closed pipe."""
    replaced = ended.__context__
    return replaced.__cause__ if isinstance(replaced, typer.Exit) else replaced

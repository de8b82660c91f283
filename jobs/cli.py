"""The command ``laketag``: one sub-command for each file beside this one, imported when it is called."""

import functools
import importlib
import inspect
import os
import sys
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from contextlib import suppress
from typing import Annotated, Any

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup

from laketag.jobs.console import discard_output, open_console, replace_closed_streams
from laketag.jobs.options import SHARED, normalise_option
from laketag.jobs.stop_signals import stop_signals
from laketag.pipeline.errors import ExitCode, LaketagError, SettingsError
from laketag.pipeline.screen import Screen

COMMANDS = {
    "index": "Write a snapshot of which images a collection holds, and in which versions, if anything changed.",
    "describe": "Write the descriptions of the classes, embedded, as a new version of a description set.",
    "label": "Label the images of a collection that have no label yet, or have changed.",
    "nightly": "Do everything for all collections of a file; a second call on an unchanged lake does nothing.",
    "evaluate": "Compare methods on the images whose true class the index states or people have decided.",
    "calibrate": "Fit a calibration to images of the collection; label is decided by the newest one from then on.",
    "recalibrate": "Decide anew which labels are accepted, by the newest calibration and from kept scores; no image is read.",
    "report": "Write a page that shows a run: how it went, classes, images in doubt, what changed, and how labels came about.",
    "query": "Query the tables: runs, labels, those in doubt, tags, failures, a summary, decisions, nights, or SQL.",
    "review": "Let people look at doubtful labels, and keep what they decide.",
    "collections": "List the collections of a lake: their images, newest index and run, and the command for the next step.",
    "sets": "List the description sets of a lake: their classes and texts, and the collections that they label.",
    "forget": "Remove the rows of named images from all tables, and leave these images out of later indexes.",
    "verify": "Check that the tables of a lake add up; ends with 7 if they do not.",
    "compact": "Merge the small label files of many runs into few, and the rows of all runs into one file.",
    "clean": "Remove what nobody can need: abandoned runs, old snapshots, and label files that were replaced.",
    "demo": "Make a small image lake, label it, and show the result; offline, in about a minute.",
    "submit": "Run a laketag command on a Ray cluster, follow its log and end with its exit code.",
    "jobs": "List, follow and stop the laketag jobs of a cluster.",
    "settings": "Print every setting with its value and meaning, as TOML.",
}
"""The help of each command, in the order in which people need them: listing it imports none of them."""

HOLDING = {
    "label",
    "describe",
    "evaluate",
    "calibrate",
    "recalibrate",
    "nightly",
    "demo",
    "forget",
    "compact",
    "clean",
    "review",
    "report",
}
"""Commands that hold a lease or run Ray."""
RELEASE_S = 8.0
"""How long these may take to let go of them after a signal."""
RELEASE_NOTHING_S = 3.0
LOOPBACK = ("localhost", "127.0.0.1", "::1")


class LazyGroup(TyperGroup):
    """Knows its commands by name and help, and imports the file of a command when the command is called."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands = {
            name: TyperCommand(name, help=text, short_help=text) for name, text in COMMANDS.items()
        }

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As of typer, once no word of the command line is empty."""
        refuse_empty(args)
        return super().parse_args(ctx, args)

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
    rich_markup_mode=None,  # plain help: its two columns hold whole sentences at 80 characters
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "token_normalize_func": normalise_option},
)


def refuse_empty(words: Sequence[str]) -> None:
    """No word and no value of an option is empty; else a SettingsError, as most likely a variable of the shell is not set."""
    for before, word in zip(("", *words), words, strict=False):
        if not word.strip():
            name = before if before.startswith("-") else "a word of the command line"
        elif word.startswith("--") and word.endswith("=") and word.count("=") == 1:
            name = word[:-1]
        else:
            continue
        raise SettingsError(
            f"{name} is empty; probably a variable is not set: give it a value, or leave the option out"
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
    loaded = typer.Typer(rich_markup_mode=None)
    if hasattr(module, "app"):
        loaded.add_typer(module.app, name=name)
    else:
        loaded.command(name)(on_terminal(getattr(module, name), getattr(module, "OPTIONS", SHARED)))
    command = typer.main.get_group(loaded).commands[name]
    name_values(command)
    return command


def name_values(command: Any) -> None:
    """The help of the command, and of those in it, shows TEXT or N for a value without a name of its own, and no Python type."""
    for parameter in command.params:
        if isinstance(parameter, TyperArgument):
            parameter.display_type_rich = lambda **_: None  # type: ignore[method-assign]  # the name tells enough
        elif not (parameter.metavar or parameter.is_flag or parameter.type_descriptor.is_choice):
            parameter.metavar = "N" if parameter.bare_type() in ("int", "float") else "TEXT"
    for inner in getattr(command, "commands", {}).values():
        name_values(inner)


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


def main() -> None:
    """Run the command line; a user's mistake ends in one sentence, not in a traceback."""
    replace_closed_streams()
    reach_loopback_directly(os.environ)
    name = next(iter(sys.argv[1:]), "")
    with stop_signals(RELEASE_S if name in HOLDING else RELEASE_NOTHING_S) as stop:
        try:
            _run()
        except BaseException:  # whatever the signal has interrupted
            if not stop.number:
                raise
    if stop.number:  # everything is released; what libraries do at exit may take any time
        with suppress(OSError):
            sys.stdout.flush()
        os._exit(stop.exit_code)


def reach_loopback_directly(environ: MutableMapping[str, str]) -> None:
    """HTTP clients of this process reach servers on this machine directly, even if the environment names a proxy."""
    known = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    if known != "*":
        hosts = ",".join(filter(None, [known, *LOOPBACK]))
        environ.update(no_proxy=hosts, NO_PROXY=hosts)  # some libraries read the one, some the other


def _run() -> None:
    """The command has run; raises SystemExit for everything that a person may cause."""
    console = open_console(stderr=True)
    try:
        command_line()()
    except LaketagError as error:
        Screen(console).error(str(error))
        raise SystemExit(error.exit_code) from error
    except OSError as error:  # such as a full disk under standard output; other files raise LaketagErrors
        Screen(console).error(f"{error}; free space, or write to another place")
        discard_output()
        raise SystemExit(ExitCode.STORE) from error
    except SystemExit as ended:
        cause = _cause(ended)
        if isinstance(cause, KeyboardInterrupt):
            console.print("stopped")  # label has said which run is kept
        if isinstance(cause, BrokenPipeError):  # `laketag query … | head`
            discard_output()
            raise SystemExit(0) from None
        raise


def _cause(ended: SystemExit) -> BaseException | None:
    """The exception that typer turned into this exit: Ctrl-C (through typer's Exit) or a closed pipe."""
    replaced = ended.__context__
    return replaced.__cause__ if isinstance(replaced, typer.Exit) else replaced

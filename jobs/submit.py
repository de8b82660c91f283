"""``laketag submit``: run any laketag command as a job of a Ray cluster."""

import shlex
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from jobs.console import open_console
from jobs.options import SettingsFile
from jobs.ray_jobs import chosen_address, cluster_errors, connect, follow
from jobs.shipment import (
    SETTINGS_NAME,
    build_working_directory,
    pinned_requirements,
    ship_description_files,
)
from pipeline.config import read_settings
from pipeline.errors import SettingsError
from pipeline.lake import timestamp
from pipeline.version import laketag_version

SUBMITTED = ("index", "describe", "label", "query")
STOP_WAIT_S = 30
"""A stopped job has so long to release its lease; Ray would kill it after 3 s."""
Address = Annotated[
    str | None,
    typer.Option(help="Ray dashboard of the cluster, such as http://127.0.0.1:8265.", show_default=False),
]


def submit(
    command: Annotated[list[str], typer.Argument(help="The laketag command, after --.", show_default=False)],
    address: Address = None,
    settings: SettingsFile = None,
    detach: Annotated[bool, typer.Option(help="Do not wait for the job; print its id.")] = False,
    pinned: Annotated[
        bool,
        typer.Option(
            help="Let Ray install the versions that are installed here; else the cluster's image has them."
        ),
    ] = False,
) -> None:
    """Run a laketag command on a Ray cluster, follow its log and end with its exit code.

    Ships this laketag and the settings, never credentials: the cluster must have its own. Example:

    laketag submit --address http://127.0.0.1:8265 --settings nightly.toml -- label --root s3://lake -c photos -s animals
    """
    where = chosen_address(address)
    arguments = checked_command(command)
    if settings is not None:
        read_settings(settings)  # refuse what is wrong before it travels
    client = connect(where)
    console = open_console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="laketag-submit-") as folder:
        build_working_directory(Path(folder), settings)
        arguments = ship_description_files(arguments, Path(folder))
        if settings is not None:
            arguments += ["--settings", SETTINGS_NAME]
        runtime_env: dict[str, object] = {"working_dir": folder, "env_vars": job_variables()}
        if pinned:
            runtime_env["pip"] = pinned_requirements()
        with cluster_errors(where):
            job_id = client.submit_job(
                entrypoint=shlex.join(["python", "-m", "jobs.remote", *arguments]),
                submission_id=f"laketag-{arguments[0]}-{timestamp().lower().replace('.', '-')}",
                runtime_env=runtime_env,
                metadata={"laketag": laketag_version(), "command": shlex.join(["laketag", *arguments])},
            )
    console.print(f"job {job_id} on {where}")
    if detach:
        typer.echo(job_id)
        return
    raise typer.Exit(follow_to_the_end(client, where, job_id, console))


def job_variables() -> dict[str, str]:
    """The only environment variables that travel: none of them is the submitter's own."""
    return {
        "RAY_JOB_STOP_WAIT_TIME_S": str(STOP_WAIT_S),
        "PYTHONUNBUFFERED": "1",  # the log is followed as it is written
        "COLUMNS": str(shutil.get_terminal_size().columns),  # tables are as wide as where they are read
    }


def follow_to_the_end(client: object, address: str, job_id: str, console: Console) -> int:
    """Show a job's log until it ends; its exit code."""

    def write(text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()

    try:
        with cluster_errors(address):
            status, code = follow(client, job_id, write)
    except KeyboardInterrupt:
        console.print(f"the job goes on; stop it with: laketag jobs stop {job_id} --address {address}")
        return 130
    console.print(f"job {job_id} {status.lower()} with exit code {code}")
    return code


def checked_command(command: list[str]) -> list[str]:
    """The command, if it is one that makes sense on a cluster."""
    arguments = command[1:] if command[:1] == ["laketag"] else list(command)
    if not arguments or arguments[0] not in SUBMITTED:
        raise SettingsError(
            f"{shlex.join(arguments) or 'nothing'!r} cannot be submitted; after -- comes one of: {', '.join(SUBMITTED)}"
        )
    if any(argument.partition("=")[0] == "--settings" for argument in arguments):
        raise SettingsError(
            "the cluster has no such settings file; give --settings before --, so that it is sent along"
        )
    root = option_value(arguments, "--root")
    if root is not None and "://" not in root and not Path(root).is_absolute():
        raise SettingsError(
            f"--root {root} names a folder below this machine's working directory; give s3://bucket/prefix, "
            "or the absolute path of a folder that every node of the cluster sees"
        )
    return arguments


def option_value(arguments: list[str], option: str) -> str | None:
    """The value that the arguments give an option, if they do."""
    for position, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name == option:
            return value if equals else next(iter(arguments[position + 1 :]), None)
    return None

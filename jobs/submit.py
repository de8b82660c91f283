"""``laketag submit``: run any laketag command as a job of a Ray cluster."""

import shlex
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from laketag.jobs.console import open_console
from laketag.jobs.options import SettingsFile
from laketag.jobs.submission.package import SETTINGS_NAME, build_working_directory
from laketag.jobs.submission.pinned import pinned_requirements
from laketag.jobs.submission.ray_jobs import chosen_address, cluster_errors, connect, shown_address
from laketag.jobs.submission.show_log import show_to_the_end
from laketag.jobs.submission.submitted_paths import check_places, check_settings_paths, ship_description_files
from laketag.jobs.submission.typed_command import read_command, rewritten, with_settings
from laketag.pipeline.lake.paths import timestamp
from laketag.pipeline.settings_file import read_settings
from laketag.pipeline.version import laketag_version

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
    typed = read_command(command)
    chosen = read_settings(settings, typed.values["override"] or ())
    check_places(typed)
    with tempfile.TemporaryDirectory(prefix="laketag-submit-") as name:
        folder = Path(name)
        build_working_directory(folder, chosen if settings is not None else None)
        if typed.name in ("describe", "label"):  # the others load no model and fetch no image
            check_settings_paths(chosen, folder)
        shipped = ship_description_files(typed, folder)
        sent, shown = rewritten(typed, shipped) if shipped else typed.words, typed.words
        if settings is not None:
            sent, shown = with_settings(sent, SETTINGS_NAME), with_settings(shown, str(settings))
        runtime_env: dict[str, object] = {"working_dir": name, "env_vars": job_variables()}
        if pinned:
            runtime_env["pip"] = pinned_requirements()
        client = connect(where)
        with cluster_errors(where):
            job_id = client.submit_job(
                entrypoint=shlex.join(["python", "-m", "laketag.jobs.submission.remote", *sent]),
                submission_id=f"laketag-{typed.name}-{timestamp().lower().replace('.', '-')}",
                runtime_env=runtime_env,
                metadata={"laketag": laketag_version(), "command": shlex.join(["laketag", *shown])},
            )
    console = open_console(stderr=True)
    console.print(f"job {job_id} on {shown_address(where)}", soft_wrap=True)
    if detach:
        typer.echo(job_id)
        return
    raise typer.Exit(show_to_the_end(client, where, job_id, console))


def job_variables() -> dict[str, str]:
    """The only environment variables that travel: none of them is the submitter's own."""
    variables = {
        "RAY_JOB_STOP_WAIT_TIME_S": str(STOP_WAIT_S),
        "PYTHONUNBUFFERED": "1",  # the log is followed as it is written
        "PYTHONIOENCODING": "utf-8:backslashreplace",  # Ray cannot read a log that is not UTF-8
    }
    if sys.stdout.isatty():  # tables are as wide as where they are read
        variables["COLUMNS"] = str(shutil.get_terminal_size().columns)
    return variables

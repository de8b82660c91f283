"""``laketag submit``: run any laketag command as a job of a Ray cluster."""

import shlex
import shutil
import sys
import tempfile
from pathlib import Path

import typer

from laketag.jobs.console import open_console
from laketag.jobs.options import SHARED, Address, argument, flag
from laketag.jobs.submission.command import (
    check_places,
    check_settings_paths,
    read_command,
    ship_description_files,
)
from laketag.jobs.submission.night import read_night_as_written, ship_night
from laketag.jobs.submission.package import SETTINGS_NAME, build_working_directory, pinned_requirements
from laketag.pipeline.lake.paths import timestamp
from laketag.pipeline.settings_file import read_settings
from laketag.pipeline.version import laketag_version

STOP_WAIT_S = 30
"""Time for a stopped job to release its lease; Ray would kill it after 3 s."""


OPTIONS = SHARED | {
    "command": argument(list[str], "The laketag command, after --."),
    "address": Address,
    "detach": flag("--detach", help="Do not wait for the job; print its id."),
    "pinned": flag(
        "--pinned",
        help="Let Ray install the versions that are installed here; else the cluster's image has them.",
    ),
}


def submit(
    command: list[str],
    address: str | None = None,
    settings: Path | None = None,
    detach: bool = False,
    pinned: bool = False,
) -> None:
    """Run a laketag command on a Ray cluster, follow its log and end with its exit code.

    Sends this laketag and the settings, never credentials: the cluster must have its own. Example:

    laketag submit --address http://127.0.0.1:8265 --settings nightly.toml -- label --root s3://lake -c photos -s animals
    """
    typed = read_command(command)
    night = None
    if typed.name == "nightly":  # its file has settings too
        night = read_night_as_written(typed.values["night"], typed.values["override"], settings)
    chosen = night.settings if night else read_settings(settings, typed.values["override"])
    check_places(typed.values)
    with tempfile.TemporaryDirectory(prefix="laketag-submit-") as name:
        folder = Path(name)
        build_working_directory(folder, chosen if settings is not None and not night else None)
        if typed.name in ("describe", "label", "nightly"):  # the others load no model and fetch no image
            check_settings_paths(chosen, folder)
        changed, shown = ship_description_files(typed.values, folder), typed.typed
        if night:
            changed["night"] = ship_night(night, folder)
        if settings is not None and night:
            shown = (*shown, "--settings", str(settings))
        elif settings is not None:
            changed["settings"], shown = SETTINGS_NAME, (*shown, "--settings", str(settings))
        runtime_env: dict[str, object] = {"working_dir": name, "env_vars": job_variables()}
        if pinned:
            runtime_env["pip"] = pinned_requirements()

        from laketag.jobs.submission.client import connect  # Ray: a second to import

        client = connect(address)
        job_id = client.submit_job(
            entrypoint=shlex.join(["python", "-m", "laketag.jobs.submission.remote", *typed.words(changed)]),
            submission_id=f"laketag-{typed.name}-{timestamp().lower().replace('.', '-')}",
            runtime_env=runtime_env,
            metadata={"laketag": laketag_version(), "command": shlex.join(["laketag", *shown])},
        )
    console = open_console(stderr=True)
    console.print(f"job {job_id} on {client.where}", soft_wrap=True)
    if detach:
        typer.echo(job_id)
        return
    from laketag.jobs.submission.follow import follow

    raise typer.Exit(follow(client, job_id, console))


def job_variables() -> dict[str, str]:
    """The only environment variables that are sent: none of them is the submitter's own."""
    variables = {
        "RAY_JOB_STOP_WAIT_TIME_S": str(STOP_WAIT_S),
        "PYTHONUNBUFFERED": "1",  # the log is followed while it is written
        "PYTHONIOENCODING": "utf-8:backslashreplace",  # Ray reads logs as UTF-8 only
    }
    if sys.stdout.isatty():  # tables are as wide as the terminal that shows them
        variables["COLUMNS"] = str(shutil.get_terminal_size().columns)
    return variables

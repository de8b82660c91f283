"""``laketag jobs``: the laketag jobs of a cluster."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import typer
from rich.table import Table

from laketag.jobs.console import open_console
from laketag.jobs.options import Address
from laketag.pipeline.errors import ClusterError

if TYPE_CHECKING:
    from laketag.jobs.submission.client import JobsClient

NARROWEST = 110
"""Characters that a table of jobs needs; a narrower terminal folds whole lines."""

app = typer.Typer(help="List, follow and stop the laketag jobs of a cluster.", no_args_is_help=False)


@app.callback(invoke_without_command=True)
def list_jobs(context: typer.Context, address: Address = None) -> None:
    """List the laketag jobs of a cluster, newest first."""
    context.obj = address  # `laketag jobs --address URL stop ID`
    if context.invoked_subcommand is not None:
        return
    client, console = _connect(address), open_console()
    found = [job for job in client.list_jobs() if _is_ours(job)]
    if not found:
        console.print(f"no laketag job on {client.where}", soft_wrap=True)
        return
    console.width = max(console.width, NARROWEST)
    console.print(_as_table(found, f"laketag jobs on {client.where}"))


@app.command()
def stop(context: typer.Context, job_id: str, address: Address = None) -> None:
    """Stop a job. Submit its command again later: label goes on where it was, others begin again."""
    client = _connect(address or context.obj)
    is_running = not _our_job(client, job_id).status.is_terminal()
    if is_running and client.stop_job(job_id):
        typer.echo(
            f"{job_id} is being stopped; submit its command again later, and label goes on where it was"
        )
    else:
        typer.echo(f"{job_id} has already ended")


@app.command()
def follow(context: typer.Context, job_id: str, address: Address = None) -> None:
    """Show a job's log until it ends, and end with its exit code."""
    client = _connect(address or context.obj)
    _our_job(client, job_id)
    from laketag.jobs.submission.follow import follow

    raise typer.Exit(follow(client, job_id, open_console(stderr=True)))


def _connect(address: str | None) -> "JobsClient":
    from laketag.jobs.submission.client import connect  # Ray: a second to import

    return connect(address)


def _is_ours(job: Any) -> bool:
    """Whether laketag submitted the job."""
    return {"laketag", "command"} <= (job.metadata or {}).keys()


def _our_job(client: "JobsClient", job_id: str) -> Any:
    """Ray's details of the job, or a ClusterError if laketag submitted no job with this id."""
    job = next((job for job in client.list_jobs() if job.submission_id == job_id), None)
    if job is None:
        raise ClusterError(f"the cluster has no job {job_id}; see: laketag jobs")
    if not _is_ours(job):
        raise ClusterError(
            f"job {job_id} was not submitted by laketag, which leaves it alone; see: ray job --help"
        )
    return job


def _as_table(jobs: list[Any], title: str) -> Table:
    """The jobs, newest first; ids are never broken, so that they can be copied."""
    table = Table(title=title, title_justify="left")
    table.add_column("job", no_wrap=True, min_width=max(len(job.submission_id) for job in jobs))
    for column in ("status", "started (UTC)", "took"):
        table.add_column(column, no_wrap=True)
    table.add_column("command", overflow="fold")
    for job in sorted(jobs, key=lambda job: job.start_time or 0, reverse=True):
        began = datetime.fromtimestamp(job.start_time / 1000, UTC) if job.start_time else None
        ended = datetime.fromtimestamp(job.end_time / 1000, UTC) if job.end_time else datetime.now(UTC)
        table.add_row(
            job.submission_id,
            job.status.value.lower(),
            f"{began:%Y-%m-%d %H:%M:%S}" if began else "",
            f"{(ended - began).total_seconds():,.0f} s" if began else "",
            job.metadata["command"],
        )
    return table

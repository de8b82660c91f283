"""``laketag jobs``: the laketag jobs of a cluster."""

from datetime import UTC, datetime

import typer
from rich.table import Table

from jobs.console import open_console
from jobs.ray_jobs import ENDED, chosen_address, cluster_errors, connect
from jobs.submit import Address, follow_to_the_end
from pipeline.errors import ClusterError

app = typer.Typer(help="List, follow and stop the laketag jobs of a cluster.", no_args_is_help=False)


@app.callback(invoke_without_command=True)
def list_jobs(context: typer.Context, address: Address = None) -> None:
    """List the laketag jobs of a cluster, newest first."""
    if context.invoked_subcommand is not None:
        return
    where = chosen_address(address)
    with cluster_errors(where):
        found = [job for job in connect(where).list_jobs() if "laketag" in (job.metadata or {})]
    table = Table(title=f"laketag jobs on {where}", title_justify="left")
    for column in ("job", "status", "started (UTC)", "took", "command"):
        table.add_column(column, overflow="fold", no_wrap=column != "command")
    for job in sorted(found, key=lambda job: job.start_time or 0, reverse=True):
        began = datetime.fromtimestamp(job.start_time / 1000, UTC) if job.start_time else None
        ended = datetime.fromtimestamp(job.end_time / 1000, UTC) if job.end_time else datetime.now(UTC)
        took = f"{(ended - began).total_seconds():,.0f} s" if began else ""
        table.add_row(
            job.submission_id,
            job.status.value.lower(),
            f"{began:%Y-%m-%d %H:%M:%S}" if began else "",
            took,
            job.metadata["command"],
        )
    open_console().print(table if found else f"no laketag job on {where}")


@app.command()
def stop(job_id: str, address: Address = None) -> None:
    """Stop a job; what it has done is kept, and the same command goes on from there."""
    where = chosen_address(address)
    client = connect(where)
    with cluster_errors(where):
        if _status(client, job_id) in ENDED:
            typer.echo(f"{job_id} has ended already")
            return
        client.stop_job(job_id)
    typer.echo(f"{job_id} is being stopped; submit the same command again to go on")


@app.command()
def follow(job_id: str, address: Address = None) -> None:
    """Show a job's log until it ends, and end with its exit code."""
    where = chosen_address(address)
    client = connect(where)
    with cluster_errors(where):
        _status(client, job_id)
    raise typer.Exit(follow_to_the_end(client, where, job_id, open_console(stderr=True)))


def _status(client: object, job_id: str) -> str:
    """The job's status, or a ClusterError if there is no such job."""
    known = {job.submission_id: job.status.value for job in client.list_jobs()}  # type: ignore[attr-defined]  # a JobSubmissionClient
    if job_id not in known:
        raise ClusterError(f"the cluster knows no job {job_id}; see: laketag jobs")
    return str(known[job_id])

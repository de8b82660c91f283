"""laketag commands that are submitted to a test cluster, in processes of their own as Ray caches its token."""

from pathlib import Path

from tests.cluster.ray_cluster import RayCluster
from tests.end_to_end.command_line import Following, Outcome, spawn_laketag, start_laketag


def submit(cluster: RayCluster, *command: str, settings: Path | None = None, detach: bool = False) -> Outcome:
    """Submit a command and follow it to its end; the submitter has the token and no credentials of a store."""
    return spawn_laketag(*_arguments(cluster, command, settings, detach), env=cluster.submitter_env)


def must_submit(cluster: RayCluster, *command: str, settings: Path | None = None) -> str:
    """The output of a submitted command; the test fails if the job does."""
    outcome = submit(cluster, *command, settings=settings)
    assert outcome.code == 0, f"{outcome.out}\n{outcome.err}"
    return outcome.out


def follow(cluster: RayCluster, *command: str, settings: Path | None = None) -> Following:
    """Submit a command and go on while it is followed."""
    return start_laketag(*_arguments(cluster, command, settings, detach=False), env=cluster.submitter_env)


def _arguments(
    cluster: RayCluster, command: tuple[str, ...], settings: Path | None, detach: bool
) -> list[str]:
    chosen = ["--settings", str(settings)] if settings else []
    return [
        "submit",
        "--address",
        cluster.address,
        *chosen,
        *(["--detach"] if detach else []),
        "--",
        *command,
    ]

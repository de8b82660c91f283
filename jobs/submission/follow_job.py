"""A submitted job, followed to its end whatever becomes of the connection; importing this imports Ray."""

import time
from collections.abc import Callable, Generator
from typing import Any

from laketag.jobs.submission.job_log import JobLog, Patience, reason
from laketag.jobs.submission.ray_client import ServerFailedError
from laketag.jobs.submission.ray_jobs import ENDED, cluster_errors, shown_address
from laketag.pipeline.errors import ClusterError
from laketag.pipeline.store.errors import without_secrets

STOPPED_CODE = 130  # as the command ends on Ctrl-C
REFUSALS = 3
"""So many connections to the log in a row that cannot be made, while the head answers, are no accident."""
AS_USUAL = Patience()


class FollowedJob:
    """One job of a cluster, which is read to its end."""

    def __init__(
        self,
        client: Any,
        address: str,
        job_id: str,
        say: Callable[[str], None],
        patience: Patience = AS_USUAL,
    ) -> None:
        self._client, self._where, self._job_id, self._say = client, shown_address(address), job_id, say
        self._patience, self._log = patience, JobLog(client, job_id, patience)
        self._details: Any = None  # Ray's JobDetails, as last asked

    @property
    def follow_command(self) -> str:
        """The command that follows the job once more."""
        return f"laketag jobs follow {self._job_id} --address {self._where}"

    @property
    def stop_command(self) -> str:
        """The command that stops the job."""
        return f"laketag jobs stop {self._job_id} --address {self._where}"

    @property
    def status(self) -> str:
        """SUCCEEDED, FAILED or STOPPED, once the log is read."""
        return str(self._details.status.value)

    @property
    def exit_code(self) -> int:
        """The job's own code, once the log is read."""
        return exit_code(self.status, self._details.driver_exit_code)

    def log(self) -> Generator[str, None, None]:
        """Each piece of the log once, as it comes; after the last one the job has ended.

        A ClusterError if the head is gone for too long, or if the job never ran. Whoever writes the pieces does so
        outside of here: a full disk is no broken connection.
        """
        with cluster_errors(self._where):
            while not self._has_ended():
                broken = yield from self._log.tail()
                if self._log.refusals == REFUSALS:
                    self._say(
                        f"the log cannot be followed through this connection ({broken}); it comes at the end"
                    )
                refused = self._log.refusals >= REFUSALS
                pause_s = self._patience.refused_s if refused else self._patience.poll_s
                time.sleep(pause_s)  # the connection broke, or the job waits for its place
            broken = yield from self._log.tail()  # of an ended job the head sends all there is
            if broken:
                broken = yield from self._log.all_at_once()
        if broken:
            self._say(
                f"the end of the log could not be read ({broken}); try again with: {self.follow_command}"
            )
        if self.status == "FAILED" and self._details.driver_exit_code is None:
            said = without_secrets(str(self._details.message or "Ray says nothing more"), 600)
            raise ClusterError(
                f"job {self._job_id} did not run to its end on the cluster: {said}; mend that and submit it again"
            )

    def _has_ended(self) -> bool:
        """Whether the job has ended, as the head says; a ClusterError if it says nothing for reconnect_s."""
        asked = time.monotonic()
        while True:
            try:
                self._details = self._client.get_job_info(self._job_id)
            except (ServerFailedError, OSError) as error:
                if time.monotonic() - asked > self._patience.reconnect_s:
                    raise ClusterError(
                        f"{self._where} has not answered for {self._patience.reconnect_s:.0f} s ({reason(error)}); "
                        f"the job may go on: when the head is back, follow it with: {self.follow_command}"
                    ) from None
                time.sleep(self._patience.poll_s)  # between two questions to a head that is away
            else:
                return self.status in ENDED


def exit_code(status: str, driver_code: int | None) -> int:
    """What the submitting command ends with: the job's own code, 128 + N if signal N ended it."""
    if status == "STOPPED":
        return STOPPED_CODE
    code = (0 if status == "SUCCEEDED" else 1) if driver_code is None else driver_code
    return code if code >= 0 else 128 - code

"""Following a submitted job: its log is polled and printed until the job ends. Imports Ray."""

import signal
import time
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from laketag.jobs.console import discard_output, write_out
from laketag.jobs.submission.client import JobsClient, UnreachableError
from laketag.pipeline.errors import ClusterError, StorageError
from laketag.pipeline.store.errors import without_secrets

INTERRUPTED = 128 + signal.SIGINT
READER_GONE = 128 + signal.SIGPIPE


@dataclass(frozen=True, kw_only=True)
class Polling:
    """How often the head is asked for the log, and for how long it may be out of reach."""

    poll_s: float = 1.0
    bytes_per_s: int = 50_000  # each answer is the whole log, so a long one is read less often
    reconnect_s: float = 60.0  # a broken port-forward is usually back by then


def follow(client: JobsClient, job_id: str, console: Console, polling: Polling = Polling()) -> int:
    """The job has ended and its log is printed; its exit code. After Ctrl-C or a closed pipe, the job goes on."""
    again = f"laketag jobs follow {job_id} --address {client.where}"
    stop = f"laketag jobs stop {job_id} --address {client.where}"
    goes_on = f"the job goes on; follow it with: {again}\nor stop it with: {stop}"
    try:
        job, missing = _print_log(client, job_id, polling)
    except KeyboardInterrupt:
        console.print(goes_on, soft_wrap=True)
        return INTERRUPTED
    except BrokenPipeError:  # `laketag submit … | head`
        discard_output()
        console.print(goes_on, soft_wrap=True)
        return READER_GONE
    except OSError as error:
        discard_output()
        raise StorageError(
            f"the log cannot be written to standard output ({error.strerror}): make room, or write elsewhere; {goes_on}"
        ) from None
    except UnreachableError as error:
        raise ClusterError(
            f"{client.where} has not answered for {polling.reconnect_s:.0f} s ({error.reason}); "
            f"the job may go on: when the head is back, follow it with: {again}"
        ) from None
    if missing is not None:
        console.print(
            f"the end of the log could not be read ({missing}); try again with: {again}", soft_wrap=True
        )
    status, code = job.status.value, job.driver_exit_code
    if status == "FAILED" and code is None:
        message = without_secrets(str(job.message or "Ray gives no reason"), 600)
        raise ClusterError(
            f"job {job_id} did not run to its end on the cluster: {message}; fix that and submit it again"
        )
    code = exit_code(status, code)
    advice = "; submit its command again later, and label goes on where it was" if status == "STOPPED" else ""
    console.print(f"job {job_id} {status.lower()} with exit code {code}{advice}", soft_wrap=True)
    return code


def exit_code(status: str, driver_code: int | None) -> int:
    """The exit code of the submitting command: the job's own, or 128 + N if signal N ended the job."""
    if status == "STOPPED":
        return INTERRUPTED
    code = (0 if status == "SUCCEEDED" else 1) if driver_code is None else driver_code
    return code if code >= 0 else 128 - code


def _print_log(client: JobsClient, job_id: str, polling: Polling) -> tuple[Any, str | None]:
    """Ray's details of the job, which has ended, and why the end of its log is missing; None if it is printed.

    UnreachableError if the head is out of reach for too long.
    """
    ask = Retrying(
        retry=retry_if_exception_type(UnreachableError),
        wait=wait_fixed(polling.poll_s),
        stop=stop_after_delay(polling.reconnect_s),
        reraise=True,
    )
    log, read_again_at = "", 0.0
    while True:
        job = ask(client.get_job_info, job_id)  # before the log, which is then complete if the job has ended
        missing = None
        if job.status.is_terminal() or time.monotonic() >= read_again_at:
            try:
                longer = ask(client.get_job_logs, job_id)
            except UnreachableError as error:
                missing = error.reason  # the exit code is known all the same
            else:
                write_out(longer[len(log) :])
                log = max(log, longer, key=len)
                read_again_at = time.monotonic() + len(log) / polling.bytes_per_s
        if job.status.is_terminal():
            return job, missing
        time.sleep(polling.poll_s)

"""The log of a submitted job on this terminal, until the job ends."""

import signal
from contextlib import closing
from typing import Any

from rich.console import Console

from laketag.jobs.standard_output import discard_output, write_out
from laketag.pipeline.errors import StorageError

INTERRUPTED = 128 + signal.SIGINT
READER_GONE = 128 + signal.SIGPIPE


def show_to_the_end(client: Any, address: str, job_id: str, console: Console) -> int:
    """The job has ended and its log was shown; its exit code. Or it goes on, and it was said how to follow or stop it."""
    from laketag.jobs.submission.follow_job import FollowedJob  # ray: seconds to import

    def say(text: str) -> None:
        console.print(text, soft_wrap=True)  # commands can be copied as one line

    job = FollowedJob(client, address, job_id, say)
    goes_on = f"the job goes on; follow it with: {job.follow_command}\nor stop it with: {job.stop_command}"
    try:
        with closing(job.log()) as log:
            for piece in log:
                write_out(piece)
    except KeyboardInterrupt:
        say(goes_on)
        return INTERRUPTED
    except BrokenPipeError:  # `laketag submit … | head`
        discard_output()
        say(goes_on)
        return READER_GONE
    except OSError as error:
        discard_output()
        raise StorageError(
            f"the log cannot be written to standard output ({error.strerror}): make room, or write elsewhere; {goes_on}"
        ) from None
    advice = "; submit the same command again to go on" if job.status == "STOPPED" else ""
    say(f"job {job_id} {job.status.lower()} with exit code {job.exit_code}{advice}")
    return job.exit_code

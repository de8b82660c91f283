"""The errors, by who must act.

LaketagError
├── InputError        fix the input: a source, a description file, a table, a checkpoint
├── SettingsError     fix the settings or the command line
├── ModelError        fix the model: wrong name, wrong checksum, an architecture that the method cannot use
├── StorageError      fix the store: no such bucket, unreachable, disk full
│   └── AccessError   fix the credentials: none were found, or the store refuses them
├── BusyError         another process labels the same images or rewrites tables: wait until it has finished
├── StoppedError      the run stopped itself: too many images fail for one reason
├── LedgerError       rows are missing or doubled: a bug in laketag; nothing was published
└── ClusterError      fix the cluster: unreachable, too small, another version of Ray

A bad *image* raises none of these: it becomes a row with a reason from laketag.schemas.failures.
Every message names the value, the rule that it breaks and the fix.
"""

import signal
from enum import IntEnum


class ExitCode(IntEnum):
    """How a command ended, for scripts; docs/labels.md has the same table.

    After a resumable end the same command goes on, or begins again, once the cause is gone.
    """

    meaning: str
    resumable: bool

    def __new__(cls, code: int, meaning: str, resumable: bool = False) -> "ExitCode":
        """The code as a number that knows its meaning."""
        member = int.__new__(cls, code)
        member._value_ = code
        member.meaning, member.resumable = meaning, resumable
        return member

    DONE = 0, "done, or nothing to do; some images may have failed"
    BUG = 1, "a bug of laketag or of a library"
    INPUT = 2, "the input, the settings or the command line is wrong"
    MODEL = 3, "the model cannot be loaded or used"
    STORE = 4, "the store or the credentials failed", True
    BUSY = 5, "another process labels the same images, or rewrites tables of the lake", True
    STOPPED = 6, "the run stopped itself: too many images fail for one reason", True
    LEDGER = 7, "rows are missing or doubled; nothing was published"
    CLUSTER = 8, "the cluster cannot be reached or cannot run the job", True
    FAILED = 9, "all images failed; with --fail-on-failures: at least one"
    INTERRUPTED = 130, "stopped by Ctrl-C (SIGINT)", True
    TERMINATED = 143, "stopped by SIGTERM", True


class LaketagError(Exception):
    """An error that the user can fix; the command line prints it without a stack trace."""

    exit_code = ExitCode.BUG


class InputError(LaketagError):
    """The input breaks a rule; fix the input."""

    exit_code = ExitCode.INPUT


class SettingsError(LaketagError):
    """A setting is unknown or impossible; fix the settings."""

    exit_code = ExitCode.INPUT


class ModelError(LaketagError):
    """The model cannot be loaded or cannot do what the method needs."""

    exit_code = ExitCode.MODEL


class StorageError(LaketagError):
    """The store refuses or cannot be reached."""

    exit_code = ExitCode.STORE


class AccessError(StorageError):
    """The store refuses access, or no credentials were found."""


class BusyError(LaketagError):
    """Another process holds the lease on the same collection and classifier, or on the whole lake."""

    exit_code = ExitCode.BUSY


class StoppedError(LaketagError):
    """The run stopped itself; what it has labelled is kept, and the next call resumes it."""

    exit_code = ExitCode.STOPPED


class LedgerError(LaketagError):
    """Planned rows and result rows do not balance; nothing was published."""

    exit_code = ExitCode.LEDGER


class ClusterError(LaketagError):
    """The cluster cannot be reached or cannot run the job."""

    exit_code = ExitCode.CLUSTER


def exit_code_of(error: BaseException) -> ExitCode:
    """How a command ends that this error ends; a KeyboardInterrupt may hold the number of the signal."""
    if isinstance(error, LaketagError):
        return error.exit_code
    if isinstance(error, KeyboardInterrupt):
        return ExitCode.TERMINATED if error.args == (signal.SIGTERM,) else ExitCode.INTERRUPTED
    return ExitCode.BUG


def describe_ending(
    command: str, error: BaseException | None = None, code: ExitCode = ExitCode.DONE
) -> dict[str, object]:
    """How a command ended, as ``--json`` prints it: by this error, or with this code."""
    if error is not None:
        code = exit_code_of(error)
    said = (
        str(error)
        if isinstance(error, LaketagError)
        else repr(error)
        if code is ExitCode.BUG
        else code.meaning
    )
    return {
        "command": command,
        "exit_code": code.value,
        "meaning": code.meaning,
        "resumable": code.resumable,
        "error": None if error is None else said,
    }

"""The errors, by who must act.

LaketagError
├── InputError        fix the input: a source, a description file, a table, a checkpoint
├── SettingsError     fix the settings or the command line
├── ModelError        fix the model: wrong name, wrong checksum, an architecture that the method cannot use
├── StorageError      fix the store: no such bucket, unreachable, disk full
│   └── AccessError   fix the credentials: none were found, or the store refuses them
├── BusyError         another process labels the same images: wait until it has finished
├── StoppedError      the run stopped itself: too many images fail for one reason
├── LedgerError       rows are missing or doubled: a bug in laketag; nothing was published
└── ClusterError      fix the cluster: unreachable, too small, another version of Ray

A bad *image* raises none of these: it becomes a row with a reason from laketag.schemas.failures.
Every message names the value, the rule that it breaks and the fix.
"""


class LaketagError(Exception):
    """An error that the user can fix; the command line prints it without a stack trace."""

    exit_code = 1


class InputError(LaketagError):
    """The input breaks a rule; fix the input."""

    exit_code = 2


class SettingsError(LaketagError):
    """A setting is unknown or impossible; fix the settings."""

    exit_code = 2


class ModelError(LaketagError):
    """The model cannot be loaded or cannot do what the method needs."""

    exit_code = 3


class StorageError(LaketagError):
    """The store refuses or cannot be reached."""

    exit_code = 4


class AccessError(StorageError):
    """The store refuses access, or no credentials were found."""


class BusyError(LaketagError):
    """Another process holds the lease on the same collection and classifier."""

    exit_code = 5


class StoppedError(LaketagError):
    """The run stopped itself; what it has labelled is kept, and the next call resumes it."""

    exit_code = 6


class LedgerError(LaketagError):
    """Planned rows and result rows do not balance; nothing was published."""

    exit_code = 7


class ClusterError(LaketagError):
    """The cluster cannot be reached or cannot run the job."""

    exit_code = 8

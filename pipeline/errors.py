"""What can go wrong, by who must act.

LaketagError
├── InputError        fix the input: a source, a description file, a table, a checkpoint
├── SettingsError     fix the settings or the command line
├── ModelError        fix the model: wrong name, wrong checksum, a tower that the method cannot use
├── StorageError      fix the store: no such bucket, unreachable, disk full
│   └── AccessError   fix the credentials: none were found, or the store refuses them
├── BusyError         another process works on the same rows: wait for it
├── StoppedError      the run stopped itself: too many images fail for one reason
├── LedgerError       rows are missing or doubled: laketag's own mistake, nothing was published
└── ClusterError      fix the cluster: unreachable, too small, another version

A bad *image* raises none of these: it becomes a row with a reason from schemas.failures.
Every message names the input, the rule it broke and the fix.
"""


class LaketagError(Exception):
    """Something that the person who called can act on; shown without a stack trace."""

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
    """The store refuses access, or there are no credentials to ask with."""


class BusyError(LaketagError):
    """Another process holds the lease on the same collection and classifier."""

    exit_code = 5


class StoppedError(LaketagError):
    """The run stopped itself; what it had done is kept and resumed by the next call."""

    exit_code = 6


class LedgerError(LaketagError):
    """Planned rows and result rows do not balance; nothing was published."""

    exit_code = 7


class ClusterError(LaketagError):
    """The cluster cannot be reached or cannot run the job."""

    exit_code = 8

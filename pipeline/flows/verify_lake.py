"""Verifying a lake: everything that its tables say about each other is true."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from laketag.pipeline.errors import ExitCode, InputError, describe_ending
from laketag.pipeline.lake.paths import TABLES, Lake
from laketag.pipeline.lake.verification import verify
from laketag.pipeline.lake.verified import Verified
from laketag.pipeline.screen import Screen
from laketag.pipeline.store.folders import list_folders


@dataclass(frozen=True)
class VerifyReport:
    """What was verified, and its faults."""

    verified: Verified

    @property
    def exit_code(self) -> ExitCode:
        """How the command ends."""
        return ExitCode.LEDGER if self.verified.faults else ExitCode.DONE

    def as_json(self) -> dict[str, Any]:
        """What ``--json`` prints."""
        return {**describe_ending("verify", code=self.exit_code), **dataclasses.asdict(self.verified)}


def verify_lake(lake: Lake, screen: Screen) -> VerifyReport:
    """All files of the lake were read and compared with what its runs say. Nothing is written.

    Where no table is, InputError: a root that is mistyped must not add up.
    """
    if not set(list_folders(lake.root, lake.storage)).intersection(TABLES):
        raise InputError(
            f"{lake.root} has no table of laketag; correct the root, or index a source into it first"
        )
    screen.wait("reading all tables")
    return VerifyReport(verify(lake))

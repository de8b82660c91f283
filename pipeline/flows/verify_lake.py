"""Verifying a lake: everything that its tables say about each other is true."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from laketag.pipeline.errors import ExitCode, describe_ending
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.verification import verify
from laketag.pipeline.lake.verified import Verified
from laketag.pipeline.screen import Screen


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
    """All files of the lake were read and compared with what its runs say. Nothing is written."""
    screen.wait("reading all tables")
    return VerifyReport(verify(lake))

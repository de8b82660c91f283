"""Something happens right before each change of a local lake, or right after a check of a lease: to look at the lake, to raise
as if the process were killed there, or to do what another process does meanwhile."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fsspec.implementations.local import LocalFileSystem

from laketag.pipeline.lake.lease import Lease

CHANGES = ((os, "link"), (os, "replace"), (LocalFileSystem, "rm_file"), (shutil, "rmtree"))
"""All ways in which a file of a local lake appears, changes or goes."""


class Killed(BaseException):
    """The process ends here."""


@contextmanager
def before_each_change(happens: Callable[[], object]) -> Iterator[None]:
    """``happens`` is called before each file of a lake is created, replaced or removed."""
    with pytest.MonkeyPatch.context() as patch:
        for owner, name in CHANGES:
            patch.setattr(owner, name, _after(happens, getattr(owner, name)))
        yield


def kill_at(number: int) -> Callable[[], None]:
    """Raises Killed at the number-th change, from 0, and at each later one."""
    changes = iter(range(number))

    def happens() -> None:
        if next(changes, None) is None:
            raise Killed

    return happens


def _after(happens: Callable[[], object], step: Callable[..., Any]) -> Callable[..., Any]:
    def changed(*arguments: Any, **options: Any) -> Any:
        happens()
        return step(*arguments, **options)

    return changed


class Disturbed(Lease):
    """A held lease; something happens right after one of its checks."""

    def __init__(self, lease: Lease, check: int, happens: Callable[[], object]) -> None:
        super().__init__(lease.url, lease.writer, lease.lake)
        self.checks_left, self.happens = check, happens

    def check(self) -> None:
        super().check()
        self.checks_left -= 1
        if self.checks_left == 0:
            self.happens()

"""Something happens right before each change of a local lake: to look at it, or to raise as if the process were killed there."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fsspec.implementations.local import LocalFileSystem

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

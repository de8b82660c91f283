"""The error tree is the one that its file draws, exit codes tell who must act, and the documents have all of them."""

import re
from pathlib import Path

from laketag.pipeline import errors
from laketag.pipeline.errors import (
    AccessError,
    ExitCode,
    InputError,
    LaketagError,
    SettingsError,
    StorageError,
)

PROJECT = Path(__file__).parent.parent
ERRORS = {name: value for name, value in vars(errors).items() if name.endswith("Error")}


def test_the_drawn_tree_names_every_error() -> None:
    assert set(re.findall(r"\b(\w+Error)\b", errors.__doc__ or "")) == set(ERRORS)
    assert all(issubclass(error, LaketagError) for error in ERRORS.values())


def test_exit_codes_differ_where_another_person_must_act() -> None:
    same = {SettingsError: InputError, AccessError: StorageError}
    codes = [error.exit_code for error in ERRORS.values() if error not in same]
    assert len(set(codes)) == len(codes)
    assert all(error.exit_code == other.exit_code for error, other in same.items())


def test_the_documentation_has_the_table_of_exit_codes() -> None:
    page = (PROJECT / "docs/labels.md").read_text()
    rows = re.findall(r"^\| (\d+) \| (.+?) \| (yes|) ?\|$", page, re.MULTILINE)
    assert rows == [(str(code.value), code.meaning, "yes" if code.resumable else "") for code in ExitCode]


def test_the_cluster_guide_names_the_resumable_codes() -> None:
    resumable = [str(code.value) for code in ExitCode if code.resumable]
    assert f"{', '.join(resumable[:-1])} and {resumable[-1]}" in (PROJECT / "docs/cluster.md").read_text()

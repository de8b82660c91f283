"""The error tree is the one that its file draws, and exit codes tell who must act."""

import re

from laketag.pipeline import errors
from laketag.pipeline.errors import AccessError, InputError, LaketagError, SettingsError, StorageError

ERRORS = {name: value for name, value in vars(errors).items() if isinstance(value, type)}


def test_the_drawn_tree_names_every_error() -> None:
    assert set(re.findall(r"\b(\w+Error)\b", errors.__doc__ or "")) == set(ERRORS)
    assert all(issubclass(error, LaketagError) for error in ERRORS.values())


def test_exit_codes_differ_where_another_person_must_act() -> None:
    same = {SettingsError: InputError, AccessError: StorageError}
    codes = [error.exit_code for error in ERRORS.values() if error not in same]
    assert len(set(codes)) == len(codes)
    assert all(error.exit_code == other.exit_code for error, other in same.items())

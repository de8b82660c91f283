import pytest

from laketag.pipeline.descriptions.problems import SHOWN, name_some, refuse, shorten
from laketag.pipeline.errors import InputError


def test_no_problem_is_no_error() -> None:
    refuse("FILE", [], "fix it")


def test_one_problem_is_one_line_with_the_file_and_the_fix() -> None:
    with pytest.raises(InputError, match=r"^FILE: line 2 is wrong; correct it$"):
        refuse("FILE", ["line 2 is wrong"], "correct it")


def test_a_long_list_of_problems_is_cut() -> None:
    with pytest.raises(InputError) as error:
        refuse("FILE", [f"problem {number}" for number in range(SHOWN + 80)], "correct it")
    lines = str(error.value).splitlines()
    assert lines[0] == f"FILE: {SHOWN + 80} problems; correct it"
    assert lines[-1] == "  … and 80 more"
    assert len(lines) == SHOWN + 2


def test_a_long_text_is_shown_on_one_line_and_cut() -> None:
    assert shorten("a\nb") == "'a b'"
    assert shorten("x" * 100, characters=5) == "'xxxx…'"


def test_a_notice_names_the_first_places_and_counts_the_others():
    assert name_some(["a", "b"]) == "a, b"
    assert name_some(list("abcde")) == "a, b, c, and 2 more"

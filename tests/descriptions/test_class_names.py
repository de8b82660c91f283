"""Which names are equal, and which of them a text mentions."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from laketag.pipeline.descriptions.class_names import NameFinder, find_same_names


def test_names_that_differ_in_case_space_underscore_hyphen_or_unicode_form_are_equal():
    groups = find_same_names(["Hot Dog", "cat", "hot_dog", "ﬁsh", "hot-dog", "Fish", "cats"])
    assert groups == [("Hot Dog", "hot_dog", "hot-dog"), ("ﬁsh", "Fish")]


@pytest.mark.parametrize(
    ("own", "text", "others"),
    [
        ("cat", "It looks like a dog.", ["dog"]),
        ("cat", "DOGS bark", ["dog"]),
        ("cat", "a dog's friend", ["dog"]),
        ("cat", "dogma is a word", []),
        ("cat", "a cat", []),
        ("dog", "a hot dog in a bun", ["hot_dog"]),
        ("hot_dog", "a dog in a bun", []),  # part of its own name
        ("hot_dog", "a hot dog", []),
        ("cat", "two hot-dogs", ["hot_dog"]),  # the longer name wins: dog is not named
        ("cat", "a hot dog and a dog", ["hot_dog", "dog"]),
        ("cat", "a box of cherries", ["box", "cherry"]),
        ("cat", "boxes, a cherry, knives", ["box", "cherry", "knife"]),
        ("cat", "mice and a pair of scissor", ["mouse", "scissors"]),
        ("cat", "it cares for buses", []),
        ("glass", "two glasses", []),  # its own plural before another class of that name
        ("cat", "two glasses", ["glasses", "glass"]),
    ],
)
def test_a_text_names_other_classes_by_whole_words_in_singular_or_plural(own, text, others):
    names = [
        "cat",
        "dog",
        "hot_dog",
        "box",
        "cherry",
        "knife",
        "mouse",
        "scissors",
        "car",
        "glass",
        "glasses",
    ]
    assert NameFinder(names).find_others(own, text) == others


def test_names_without_any_letter_are_never_found():
    assert NameFinder(["!!!", "cat"]).find_others("cat", "wow!!!") == []


WORDS = st.sampled_from(["red", "blue", "fox", "owl", "tree"])


@given(
    names=st.lists(
        st.lists(WORDS, min_size=1, max_size=3).map(" ".join), min_size=1, max_size=6, unique=True
    ),
    text=st.lists(WORDS, max_size=12).map(" ".join),
)
def test_the_finder_agrees_with_a_search_for_each_name(names, text):
    """Without plurals: the index by words finds exactly the names that a regular expression finds one by one."""
    finder = NameFinder(names)
    for name in names:
        assert finder.mentions(name, text) == bool(re.search(rf"\b{name}\b", text))

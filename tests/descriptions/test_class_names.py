"""What names share, and which of them a text mentions."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from laketag.pipeline.descriptions.class_names import NameFinder, name_key


def test_the_key_of_a_name_leaves_out_case_space_underscore_hyphen_and_unicode_form():
    assert {name_key(name) for name in ("Hot Dog", "hot_dog", "hot-dog", "HOT  dog\u200b")} == {"hot dog"}
    assert name_key("ﬁsh") == name_key("Fish")
    assert name_key("cat") != name_key("cats")


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


def test_a_wordnet_id_is_found_by_its_name():
    finder = NameFinder(["n01440764", "n01443537"])
    assert finder.find_others("n01443537", "It is not a tench.") == ["n01440764"]
    assert finder.mentions("n01440764", "Two tenches.")


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

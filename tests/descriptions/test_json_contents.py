"""The texts of JSON files, and the repairs and refusals with their places."""

import json
from typing import Any

import pytest

from laketag.pipeline.descriptions.contents import Contents
from laketag.pipeline.descriptions.json_contents import read_json_contents, read_json_lines
from laketag.pipeline.errors import InputError


def read(content: Any) -> Contents:
    text = content if isinstance(content, str) else json.dumps(content)
    return read_json_contents(text, "FILE")


def test_texts_are_normalised_and_empty_ones_are_kept_in_their_place() -> None:
    found = read({" do\u00adg": ["B\n  b.", "", None], "cafe\u0301": "A.", "owl": None, "cat": []})
    assert found.texts == {"dog": ("B b.", "", ""), "café": ("A.",), "owl": (), "cat": ()}
    assert read(["a", " b", None]).texts == ("a", "b", "")


def test_lists_of_names_that_look_alike_are_joined_and_named() -> None:
    found = read('{"cat": ["a"], "dog": ["c"], "ca\\u200bt": ["b"], "dog": ["d"], "": ["e"], " ": ["f"]}')
    assert found.texts == {"cat": ("a", "b"), "dog": ("c", "d")}
    assert found.notices == (
        "2 text(s) of a class without a name are left out",
        "2 class(es) occur more than once, and their texts are joined: 'dog', 'cat'",
    )


def test_imagenets_index_of_classes_is_a_list_of_wordnet_ids() -> None:
    assert read({"0": ["n01440764", "tench"], "1": ["n01443537", "goldfish"]}).texts == (
        "n01440764",
        "n01443537",
    )


def test_names_under_integers_are_a_list_of_names() -> None:
    assert read({"0": "cat", "1": " hot  dog"}).texts == ("cat", "hot dog")
    assert read({"0": ["round"], "1": "thin"}).texts == {"0": ("round",), "1": ("thin",)}
    assert read({"0": "cat", "dog": "barks"}).texts == {"0": ("cat",), "dog": ("barks",)}


@pytest.mark.parametrize(
    ("content", "texts", "place"),
    [
        (
            {"cat": ["a"], "dog": {"b": ["c"]}},
            {"cat": ("a",), "dog": ("",)},
            "class 'dog': an object instead of a list of texts",
        ),
        (
            {"cat": ["has fur"], "dog": [3]},
            {"cat": ("has fur",), "dog": ("",)},
            "class 'dog', entry 1: the number 3 instead of a text",
        ),
        (["a", 3], ("a", ""), "the list, entry 2: the number 3 instead of a text"),
        (
            [{"class": "cat", "text": "a"}, {"class": "dog", "text": True}],
            {"cat": ("a",), "dog": ("",)},
            "class 'dog', entry 1: true or false instead of a text",
        ),
    ],
)
def test_a_value_that_is_no_text_is_read_as_an_empty_one_and_named(
    content: Any, texts: Any, place: str
) -> None:
    found = read(content)
    assert found.texts == texts
    assert found.notices == (f"1 value(s) are read as empty texts: {place}",)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('"cat"', "an object of class → list of texts, or a list of texts, but this is a text"),
        ({"cat": [], "dog": {"b": 1}}, "class 'dog': an object instead of a list of texts"),
        ({"cat": [], "dog": ["", 3]}, "class 'dog', entry 2: the number 3 instead of a text"),
        ({"cat": [True], "dog": [["b"]]}, "class 'cat', entry 1: true or false instead of a text"),
        ([None, 3], "the list, entry 2: the number 3 instead of a text"),
    ],
)
def test_json_that_holds_fewer_texts_than_other_values_is_refused_with_the_place(
    content: Any, says: str
) -> None:
    with pytest.raises(InputError) as error:
        read(content)
    assert says in str(error.value)
    assert "FILE" in str(error.value)


def test_all_problems_are_in_one_message() -> None:
    with pytest.raises(InputError, match=r"100 problems; write lists of texts\n(.*\n)+ +… and 80 more"):
        read({"cat": list(range(100)), "dog": ["a"]})


RECORDS = [
    {"Class": "cat", "descriptions": 1, "prompt": "a"},
    {"Class": "dog", "prompt": ["b", "c"]},
    {"Class": "ca\u200bt", "prompt": None},
]


def test_objects_with_a_class_and_texts_are_read_from_lists_and_lines() -> None:
    expected = {"cat": ("a", ""), "dog": ("b", "c")}
    assert read(RECORDS).texts == expected
    assert read_json_lines("\n\n".join(map(json.dumps, RECORDS)), "FILE").texts == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"class": "cat", "text": "a"}\n["b"]', "FILE: line 2 is a list"),
        ('{"class": "cat", "text": "a"}\n{"class', "FILE, line 2 of JSON Lines, line 1, column 2: not JSON"),
        ('{"class": "cat", "gloss": "a"}', "no column 'text' among 'class', 'gloss'"),
        ('{"class": 3, "text": "a"}', "entry 1: the number 3 instead of a class name"),
    ],
)
def test_a_broken_line_is_refused_with_its_number(text: str, says: str) -> None:
    with pytest.raises(InputError) as error:
        read_json_lines(text, "FILE")
    assert says in str(error.value)

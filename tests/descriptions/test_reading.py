"""The texts of each format, and every kind of broken file with its place in the message."""

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from laketag.pipeline.descriptions.formats import Format
from laketag.pipeline.descriptions.reading import group_rows, read_descriptions
from laketag.pipeline.errors import InputError


def read(content: Any, file_format: Format, class_names: list[str] | None = None):
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    return read_descriptions(
        data, "FILE", file_format, label_prompt="a photo of a {}.", class_names=class_names
    )


def test_names_are_described_by_the_label_prompt():
    assert read(b"\xef\xbb\xbfhot_dog\r\n\r\n  cat \n", "names") == {
        "hot_dog": ("a photo of a hot dog.",),
        "cat": ("a photo of a cat.",),
    }


def test_cupl_sentences_are_kept_on_one_line_in_the_order_of_the_file():
    found = read({"dog": ["B\n b.", ""], " cat ": ["A."]}, "cupl")
    assert list(found.items()) == [("dog", ("B b.", "")), ("cat", ("A.",))]


def test_clip_d_descriptors_become_sentences_and_empty_ones_stay_empty():
    assert read({"dog": ["ears", " -"], "cat": ["a tail"]}, "clip-d") == {
        "dog": ("dog, which has ears", ""),
        "cat": ("cat, which is a tail",),
    }


def test_templates_are_filled_for_the_named_classes_or_for_their_own():
    expected = {"cat": ("a cat.", "the cat"), "hot_dog": ("a hot dog.", "the hot dog")}
    templates = ["a {}.", "the {}"]
    assert read(templates, "clip-e", ["cat", "hot_dog"]) == expected
    assert read({"cat": templates, "hot_dog": templates}, "clip-e") == expected


CELL = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=20)


@given(st.lists(st.tuples(st.sampled_from(["cat", "dog", "owl"]), CELL)), st.sampled_from([",", ";", "\t"]))
def test_a_csv_file_gives_the_same_texts_as_its_rows(texts, delimiter):
    rows = [("cat", "one"), ("dog", "two"), *texts]
    sink = io.StringIO()
    writer = csv.writer(sink, delimiter=delimiter)
    writer.writerow(["note", "Class", " text"])
    writer.writerows([(number, *row) for number, row in enumerate(rows)])
    assert read(sink.getvalue().encode(), "csv") == group_rows(rows, "FILE")


@pytest.mark.parametrize(
    ("content", "file_format", "says"),
    [
        (["a", "b"], "cupl", "is a JSON object of class → list of texts, but this is a list"),
        ("cat", "clip-d", "but this is str 'cat'"),
        ({"cat": ["a"], "dog": "b"}, "cupl", "class 'dog': a text instead of a list of texts"),
        ({"cat": [], "dog": ["b", 3]}, "clip-d", "class 'dog', entry 2: the number 3 instead of a text"),
        ({"cat": [None], "dog": [["b"]]}, "cupl", "class 'cat', entry 1: null instead of a text"),
        ({"cat": ["{}"], "dog": ["a dog"]}, "clip-e", "class 'dog', entry 1: 'a dog' has no {}"),
        (["a {}", "b"], "clip-e", "a list of templates names no classes"),
        ({"cat": ["a"], "cat ": ["b"]}, "cupl", "differ only in white space: 'cat'"),
        ({"cat": ["a"], "": ["b"]}, "cupl", "a class without a name"),
        ({"cat": ["a"]}, "cupl", "only the class 'cat'"),
        (b"cat\ndog\ncat", "names", "line 3 repeats 'cat' of line 1"),
        (b"", "csv", "no column 'class' and no column 'text' among none"),
        (b"class,sentence\ncat,a", "csv", "no column 'text' among 'class', 'sentence'"),
        (b"class,text\ncat,a,b\n", "csv", "line 2 has 3 field(s), the header 2"),
        (b'class,text\ncat,"a\n', "csv", "FILE, line 2: not CSV"),
    ],
)
def test_a_broken_file_is_refused_with_the_place_and_the_rule(content, file_format, says):
    with pytest.raises(InputError) as error:
        read(content, file_format)
    assert says in str(error.value)
    assert "FILE" in str(error.value)


def test_names_for_a_file_that_names_its_classes_are_refused():
    with pytest.raises(InputError, match="must be left out"):
        read({"cat": ["a {}"], "dog": ["a {}"]}, "clip-e", ["cat", "dog"])


def test_all_problems_are_in_one_message():
    with pytest.raises(InputError) as error:
        read(b"Hot Dog\nhot_dog\nCAT\ncat\nfox", "names")
    assert "2 problems" in str(error.value)
    assert "'Hot Dog' and 'hot_dog'" in str(error.value)
    assert "'CAT' and 'cat'" in str(error.value)

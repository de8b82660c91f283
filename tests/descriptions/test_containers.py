"""How a file's container is told, and the texts of lines."""

import json
import pickle
from typing import Any

import pytest

from laketag.pipeline.descriptions.containers import read_contents
from laketag.pipeline.descriptions.contents import Contents
from laketag.pipeline.errors import InputError


def read(content: Any, file: str = "FILE.json", **options: Any) -> Contents:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    return read_contents(data, file, **options)


def test_lines_are_normalised_and_empty_ones_are_kept_in_their_place() -> None:
    assert read(b"\xef\xbb\xbfhot_dog\r\n\r\n  cat \n", "names.TXT").texts == ("hot_dog", "", "cat", "")


@pytest.mark.parametrize(
    ("content", "file"),
    [
        (b'{"cat": ["a"]}', "FILE.json"),
        (b' {"cat": ["a"]}', "FILE"),
        (b'{"cat": ["a"]}', "FILE.txt"),
        (b'{"class": "cat", "text": "a"}', "FILE.jsonl"),
        (b"class,text\ncat,a", "s3://bucket/FILE.CSV"),
        (b"class\ttext\ncat\ta", "FILE.tsv"),
    ],
)
def test_the_container_is_told_by_extension_and_first_characters(content: bytes, file: str) -> None:
    assert read(content, file).texts == {"cat": ("a",)}


@pytest.mark.parametrize("file", ["FILE.json", "FILE.txt", "FILE"])
def test_json_lines_are_told_without_their_extension(file: str) -> None:
    lines = b'{"class": "cat", "text": "a"}\n{"class": "dog", "text": "b"}\n'
    assert read(lines, file).texts == {"cat": ("a",), "dog": ("b",)}


@pytest.mark.parametrize("first", ["{} in the rain", "{}", "[unused]", "[1] cat", "{cat}"])
def test_lines_may_start_with_a_place_or_a_bracket(first: str) -> None:
    assert read(f"{first}\na photo of a {{}}".encode(), "FILE.txt").texts == (first, "a photo of a {}")
    assert read(first.encode(), "FILE", container="lines").texts == (first,)


@pytest.mark.parametrize("content", ['{"cat": ["a",]}', '["cat" "dog"]', "{'cat': ['a']}"])
def test_json_with_a_mistake_is_not_read_as_lines(content: str) -> None:
    with pytest.raises(InputError, match=r"FILE\.txt, line 1, column \d+: not JSON"):
        read(content.encode(), "FILE.txt")


def test_a_pickle_is_refused_unread_with_the_way_to_convert_it() -> None:
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(
            InputError, match=r"word_list\.pkl is a Python pickle, .* never reads it; .* json\.dump"
        ):
            read(pickle.dumps(["foot", "loud"], protocol), "word_list.pkl")


def test_a_file_whose_format_does_not_show_is_refused_unless_the_container_is_given() -> None:
    with pytest.raises(InputError, match=r"names: neither the extension .* --format names\|"):
        read(b"cat\ndog", "names")
    assert read(b"cat\ndog", "names", container="lines").texts == ("cat", "dog")

"""How a file's format is detected, and the message if it is not clear."""

import json

import pytest

from laketag.pipeline.descriptions.formats import detect_format
from laketag.pipeline.errors import InputError

CUPL = {"cat": ["A cat has whiskers.", "whiskered cats"], "dog": ["A dog barks."]}
CLIP_D = {"cat": ["whiskers", "a long tail"], "dog": ["floppy ears", "used for hunting"]}


def detect(content, file: str = "file.json") -> str:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    return detect_format(data, file).format


@pytest.mark.parametrize(
    ("content", "file", "expected"),
    [
        (b"cat\ndog\n", "names.TXT", "names"),
        (b"class,text\n", "s3://bucket/texts.csv", "csv"),
        (b"class\ttext\n", "texts.tsv", "csv"),
        (b"PAR1", "file.parquet", "parquet"),
        (b"PAR1....", "file", "parquet"),
        (CUPL, "file.json", "cupl"),
        (CUPL, "no_suffix", "cupl"),
        (CLIP_D, "file.json", "clip-d"),
        (["a {}.", "the {}"], "file.json", "clip-e"),
        ({"cat": ["a {}."], "dog": ["a {} that barks"]}, "file.json", "clip-e"),
        (b'\xef\xbb\xbf["a {}."]', "bom", "clip-e"),
    ],
)
def test_a_clear_format_is_detected_from_the_name_or_the_content(content, file, expected):
    assert detect(content, file) == expected


@pytest.mark.parametrize(
    ("content", "file", "says"),
    [
        (b"cat\ndog\n", "names", "--format names|"),
        ({"cat": ["A cat purrs.", "whiskers"]}, "f.json", "1 of 2 texts end like sentences"),
        ({"cat": ["a {}", "whiskers"]}, "f.json", "1 of 2 texts are templates"),
        (["cat", "dog"], "f.json", "2 of its 2 entries are not texts with {}"),
        ({}, "f.json", "no text to detect the format from"),
        ({"cat": "whiskers"}, "f.json", "no text to detect the format from"),
        (b'{"cat": ["a",]}', "f.json", "f.json, line 1, column"),
    ],
)
def test_an_unclear_file_is_refused_with_the_reason(content, file, says):
    with pytest.raises(InputError) as error:
        detect(content, file)
    assert says in str(error.value)
    assert file in str(error.value)

"""How a file's format is detected by the clear majority of its texts, and the message if there is none."""

import json
from typing import Any

import pytest

from laketag.pipeline.descriptions.containers import read_contents
from laketag.pipeline.descriptions.formats import Detected, detect_format
from laketag.pipeline.errors import InputError

CUPL = {"cat": ["A cat has whiskers.", "whiskered cats"], "dog": ["A dog barks."]}
CLIP_D = {"cat": ["whiskers", "a long tail"], "dog": ["floppy ears", "used for hunting"]}
TEMPLATES = ["a {}.", "the {}", "a bad photo of a {}.", "a {} in a video game."]


def detect(content: Any, file: str = "file.json", *, with_names: bool = False) -> Detected:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    return detect_format(read_contents(data, file), file, with_names=with_names)


@pytest.mark.parametrize(
    ("content", "file", "expected"),
    [
        (b"cat\ndog\n", "names.TXT", "names"),
        (["cat", "hot dog"], "file.json", "names"),
        (CUPL, "file.json", "cupl"),
        (CUPL, "no_extension", "cupl"),
        ({"n01440764": ["Tench are fish", "a tench with fins"]}, "file.json", "cupl"),
        ({"cat": [], "dog": []}, "file.json", "cupl"),
        (CLIP_D, "file.json", "clip-d"),
        (TEMPLATES, "file.json", "clip-e"),
        ("\n".join(TEMPLATES).encode(), "templates.txt", "clip-e"),
        ({"cat": ["a {}."], "dog": ["a {} that barks"]}, "file.json", "clip-e"),
        ({"cat": [*TEMPLATES, "my pet"], "dog": TEMPLATES}, "file.json", "clip-e"),
        (b'\xef\xbb\xbf["a {}."]', "bom", "clip-e"),
    ],
)
def test_a_clear_format_is_detected(content: Any, file: str, expected: str) -> None:
    assert detect(content, file).format == expected


def test_a_list_without_places_holds_descriptors_if_the_names_are_in_another_file() -> None:
    assert detect(["foot loud", "wheel"], with_names=True).format == "clip-d"
    assert detect(b"foot loud\nwheel", "words.txt", with_names=True).format == "clip-d"


def test_exceptions_are_counted_and_named() -> None:
    mostly_sentences = {"cat": ["A cat.", "Purrs.", "Runs.", "Jumps."], "dog": ["long tail", "A dog."]}
    assert detect(mostly_sentences) == Detected(
        "cupl", "5 of 6 texts end like sentences or name their class; not class 'dog', text 1 'long tail'"
    )
    mostly_fragments = {"cat": ["whiskers", "claws", "a tail", "Cats purr."], "dog": ["ears", "a nose"]}
    assert detect(mostly_fragments) == Detected(
        "clip-d", "only 1 of 6 texts end like sentences or name their class: class 'cat', text 4 'Cats purr.'"
    )


@pytest.mark.parametrize("stray", [1, 2])
def test_one_text_in_five_with_a_stray_place_does_not_hide_the_format(stray: int) -> None:
    texts = ["It {} purrs."] * stray + ["A cat purrs."] * 4 * stray
    assert detect({"cat": texts, "dog": []}).format == "cupl"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"cat": ["A cat purrs.", "whiskers"]}, "1 of 2 texts end like sentences"),
        (
            {"cat": ["a {}", "whiskers"], "dog": ["the {}"]},
            "2 of 3 texts are templates with {} and the others are not",
        ),
        ({"cat": ["a {}", "whiskers"], "dog": ["the {}"]}, "class 'dog', text 1 'the {}' is a template"),
        (["a photo of a {c}.", "the {c}"], "entry 2 'the {c}'"),
        (["a photo of a %s."], "write {} where the class name goes"),
    ],
)
def test_an_unclear_file_is_refused_with_the_reason(content: Any, says: str) -> None:
    with pytest.raises(InputError) as error:
        detect(content)
    assert says in str(error.value)
    assert "file.json" in str(error.value)

"""The sentences of each format, and the notice or refusal for each exception."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from laketag.pipeline.config import DescriptionSettings
from laketag.pipeline.descriptions.containers import read_contents
from laketag.pipeline.descriptions.formats import Format
from laketag.pipeline.descriptions.lint import lint
from laketag.pipeline.descriptions.reading import ClassSentences, read_descriptions, read_names
from laketag.pipeline.descriptions.table_contents import group_rows
from laketag.pipeline.descriptions.unicode_text import normalise_text
from laketag.pipeline.errors import InputError

TEMPLATES = ["a {}.", "the {}", "a bad photo of a {}.", "a {} in a video game.", "art of the {}."]


def read(
    content: Any, file_format: Format | None = None, names: list[str] | None = None, file: str = "FILE.json"
) -> ClassSentences:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    return read_descriptions(read_contents(data, file), file, file_format, names, "a photo of a {}.")


def test_names_are_described_by_the_label_prompt() -> None:
    expected = {"hot_dog": ("a photo of a hot dog.",), "cat": ("a photo of a cat.",)}
    assert read(b"hot_dog\r\n\r\n  cat \n", file="FILE.txt").by_class == expected
    assert read(["hot_dog", "cat"]).by_class == expected


def test_a_repeated_name_is_kept_once_and_named() -> None:
    found = read(b"missile\ncat\nmissile\nmissi\xe2\x80\x8ble", file="FILE.txt")
    assert list(found.by_class) == ["missile", "cat"]
    assert found.notices == ("1 name(s) occur more than once and are kept once: 'missile'",)


def test_lines_that_begin_with_wordnet_ids_name_the_ids() -> None:
    found = read(b"n01440764 tench, Tinca tinca\nn01443537 goldfish, Carassius auratus\n", file="FILE.txt")
    assert found.by_class == {"n01440764": ("a photo of a tench.",), "n01443537": ("a photo of a goldfish.",)}


def test_an_unknown_wordnet_id_is_named() -> None:
    found = read({"n00000000": ["It is red."], "n01440764": ["A fish."]})
    assert found.notices == ("1 WordNet id(s) are not ImageNet's, and prompts show the ids: n00000000",)


def test_cupl_sentences_are_kept_in_the_order_of_the_file() -> None:
    found = read({"dog": ["B\n b.", ""], " cat ": ["A."]}, "cupl")
    assert list(found.by_class.items()) == [("dog", ("B b.", "")), ("cat", ("A.",))]
    assert found.notices == ()


def test_clip_d_descriptors_become_sentences_and_empty_ones_stay_empty() -> None:
    assert read({"dog": ["ears", " -"], "cat": ["a tail"], "owl": []}, "clip-d").by_class == {
        "dog": ("dog, which has ears", ""),
        "cat": ("cat, which is a tail",),
        "owl": (),
    }


def test_templates_are_filled_for_the_named_classes_or_for_their_own() -> None:
    expected = {"cat": ("a cat.", "the cat"), "hot_dog": ("a hot dog.", "the hot dog")}
    assert read(["a {}.", None, "the {}"], names=["cat", "hot_dog"]).by_class == expected
    assert read(b"a {}.\n\nthe {}\n", names=["cat", "hot_dog"], file="FILE.txt").by_class == expected
    assert read({"cat": ["a {}.", "the {}"], "hot_dog": ["a {}.", "the {}"]}).by_class == expected


def test_a_list_of_words_describes_every_named_class() -> None:
    """WaffleCLIP's word list, once it is JSON or text."""
    expected = {
        "cat": ("cat, which has foot", "cat, which has loud"),
        "dog": ("dog, which has foot", "dog, which has loud"),
    }
    assert read(["foot", "loud"], names=["cat", "dog"]).by_class == expected
    assert read(b"foot\nloud\n", names=["cat", "dog"], file="FILE.txt").by_class == expected


def test_a_table_of_templates_is_filled_and_one_of_sentences_is_not() -> None:
    filled = read(b"class,text\ncat,a {}\ndog,the {}\n", file="FILE.csv")
    assert filled.by_class == {"cat": ("a cat",), "dog": ("the dog",)}
    assert filled.detected.format == "csv"
    rows = group_rows([("cat", "whiskers"), ("dog", "A dog.")], "parquet")
    kept = read_descriptions(rows, "FILE", None, None, "a {}")
    assert (kept.by_class, kept.detected.format) == ({"cat": ("whiskers",), "dog": ("A dog.",)}, "parquet")


STRAY = {
    "knitting": ["The{} needles cross in front of the hands.", "Wool runs from a ball.", "A person sits."],
    "rowing": ["A long boat glides on water.", "Several people pull oars at once."],
    "sawing": ["A blade goes through a plank.", "Dust falls from a cut in wood."],
}


@pytest.mark.parametrize("file_format", [None, "cupl"])
def test_a_stray_place_is_removed_and_named_by_class_and_text(file_format: Format | None) -> None:
    found = read(STRAY, file_format)
    assert found.detected.format == "cupl"
    assert found.by_class["knitting"][0] == "The needles cross in front of the hands."
    assert found.notices == (
        "1 text with a stray {}, which is removed: class 'knitting', text 1 'The{} needles cross in front of the hands.'",
    )


@pytest.mark.parametrize("file_format", ["clip-d", None])
def test_a_stray_place_is_removed_from_descriptors_and_tables_too(file_format: Format | None) -> None:
    texts = ["a {} tail", "claws", "whiskers", "fur", "a nose"]
    assert read({"cat": texts, "dog": ["ears"]}, file_format).by_class["cat"][0] == "cat, which is a tail"
    rows = "class,text\ndog,ears\n" + "".join(f"cat,{text}\n" for text in texts)
    assert read(rows.encode(), file="FILE.csv").by_class["cat"][0] == "a tail"
    listed = read(texts, names=["cat", "dog"], file_format="clip-d")
    assert listed.by_class["dog"][0] == "dog, which is a tail"


@pytest.mark.parametrize("file_format", [None, "cupl", "clip-d", "clip-e"])
def test_half_templates_are_refused_with_their_places(file_format: Format | None) -> None:
    half = {"cat": ["a {} purrs.", "A cat purrs."], "dog": ["the {} barks.", "A dog barks."]}
    with pytest.raises(InputError) as error:
        read(half, file_format)
    assert ("class 'dog', text 1 'the {} barks.'" in str(error.value)) is (file_format != "clip-e")
    assert ("class 'dog', text 2 'A dog barks.' has no {}" in str(error.value)) is (file_format == "clip-e")


def test_a_class_keeps_a_text_among_templates_and_a_list_leaves_it_out() -> None:
    by_class = read({"cat": [*TEMPLATES, "my pet"], "dog": ["a {}"]})
    assert by_class.by_class["cat"][-1] == "my pet"
    assert by_class.notices == (
        "1 text without {} among templates, kept as written: class 'cat', text 6 'my pet'",
    )
    listed = read([*TEMPLATES, "a photo"], names=["cat", "dog"])
    assert [len(texts) for texts in listed.by_class.values()] == [5, 5]
    assert listed.notices == ("1 text without {} left out: entry 6 'a photo'",)


@pytest.mark.parametrize(
    ("content", "file_format", "names", "says"),
    [
        (TEMPLATES, None, None, "a list of templates names no classes; give their names"),
        (["ears"], "clip-d", None, "a list of descriptors names no classes"),
        (["a", "b"], "cupl", None, "cupl is an object of class → texts, but this is a list"),
        ({"cat": ["a {}"], "dog": ["a {}"]}, None, ["cat", "dog"], "names its classes itself"),
        ({"cat": ["a"]}, "names", None, "class names are a list"),
        ({"cat": ["A cat."]}, None, None, "only the class 'cat'"),
        ({}, None, None, "FILE.json has no class"),
        (["cat"], None, None, "only the class 'cat'"),
    ],
)
def test_a_file_that_cannot_be_read_so_is_refused_with_the_rule(
    content: Any, file_format: Format | None, names: list[str] | None, says: str
) -> None:
    with pytest.raises(InputError) as error:
        read(content, file_format, names)
    assert says in str(error.value)
    assert "FILE.json" in str(error.value)


def test_names_of_a_second_file_may_be_any_list() -> None:
    assert read_names(read_contents(b'["cat", "dog", ""]', "names.json"), "names.json") == (
        ("cat", "dog"),
        (),
    )
    with pytest.raises(InputError, match="class names are a list"):
        read_names(read_contents(b'{"cat": []}', "names.json"), "names.json")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["a {}", "n01440764", "A cat."]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=4) | st.just("class"), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(JSON, st.sampled_from(["FILE.json", "FILE.txt", "FILE.csv", "FILE.jsonl", "FILE"]), st.booleans())
def test_any_file_is_read_or_refused_and_its_names_and_texts_are_normalised(
    value: Any, file: str, with_names: bool
) -> None:
    try:
        found = read(value, names=["cat", "dog"] if with_names else None, file=file)
    except InputError:
        return
    assert len(found.by_class) > 1
    lint(found.by_class, DescriptionSettings(), file)
    for name, texts in found.by_class.items():
        assert name == normalise_text(name) != ""
        assert all(text == normalise_text(text) for text in texts)

"""Drop reasons that need words alone."""

import pytest

from laketag.pipeline.config import DescriptionSettings
from laketag.pipeline.descriptions.lint import (
    Description,
    find_bare_classes,
    lint,
    name_spared,
    refuse_bare_classes,
)
from laketag.pipeline.errors import InputError

SENTENCES = {
    "cat": ("A cat purrs.", "", "…", " a CAT  purrs. ", "Unlike a dog.", "It purrs."),
    "dog": ("A dog barks.", "It purrs."),
}


def reasons(sentences, **settings) -> dict[str, list[str | None]]:
    rows = lint(sentences, DescriptionSettings(**settings), "FILE")
    return {
        name: [row.drop_reason for row in rows if row.class_name == name and not row.is_label_prompt]
        for name in sentences
    }


def test_each_text_is_dropped_for_the_first_reason_that_holds():
    assert reasons(SENTENCES) == {
        "cat": [None, "empty", "empty", "exact_duplicate", "names_another_class", None],
        "dog": [None, None],  # the same text may describe two classes
    }


def test_rows_are_the_label_prompt_and_then_the_texts_in_the_order_of_the_file():
    rows = lint(SENTENCES, DescriptionSettings(label_prompt="the {}"), "FILE")
    assert [(row.class_name, row.position) for row in rows] == [("cat", i) for i in range(-1, 6)] + [
        ("dog", i) for i in range(-1, 2)
    ]
    assert rows[0] == Description("cat", -1, "the cat")


def test_each_rule_can_be_switched_off():
    assert reasons(SENTENCES, drop_exact_duplicates=False)["cat"][3] is None
    assert reasons(SENTENCES, drop_names_another_class=False)["cat"][4] is None


def test_empty_texts_are_refused_by_place_when_they_are_not_to_be_dropped():
    with pytest.raises(InputError, match=r"class 'cat', text 2 is empty\n.*class 'cat', text 3 is empty"):
        reasons(SENTENCES, drop_empty=False)


def test_a_class_that_the_label_prompt_names_may_be_named_in_texts():
    sentences = {"photo": ("a photo of a photo.",), "cat": ("a photo of a cat.", "a cat on a painting")}
    assert reasons(sentences | {"painting": ("p.",)})["cat"] == [None, "names_another_class"]


def test_all_classes_without_a_description_are_named_with_what_dropped_their_texts():
    sentences = {"cat": ("a dog", "a dog", " "), "dog": (), "owl": ("it hoots",)}
    rows = lint(sentences, DescriptionSettings(), "FILE")
    assert find_bare_classes(rows) == ["cat", "dog"]
    with pytest.raises(InputError) as error:
        refuse_bare_classes(rows, "FILE")
    message = str(error.value)
    assert (
        "class 'cat' has no description left (1 names_another_class, 1 exact_duplicate, 1 empty)" in message
    )
    assert "class 'dog' has no description left (it has no text)" in message
    assert "descriptions.drop_names_another_class" in message
    assert "owl" not in message


def test_what_rules_that_are_off_would_drop_is_counted_and_classes_without_another_text_are_named() -> None:
    sentences = {
        "rain gauge": ("A narrow barrel.", "A barrel on a post."),
        "barrel": ("Staves.", "Staves.", "Hoops."),
        "ladder": (),
        "lamp": ("A lamp beside a barrel.", "", "A shade."),
    }
    off = DescriptionSettings().without_rules()
    rows = lint(sentences, off, "FILE")
    assert [row.drop_reason for row in rows if row.drop_reason] == ["empty"]
    assert name_spared(rows, sentences, off, "FILE") == (
        "4 text(s) are kept that the filter would drop (3 names_another_class, 1 exact_duplicate), among them all texts of 1 "
        "class(es): 'rain gauge'"
    )
    on = DescriptionSettings()
    assert name_spared(lint(sentences, on, "FILE"), sentences, on, "FILE") is None
    alone = {"ladder": ("Rails.",), "lamp": ("A shade.",)}
    assert name_spared(lint(alone, off, "FILE"), alone, off, "FILE") is None

"""How descriptors and templates become sentences."""

import pytest

from laketag.pipeline.descriptions.sentences import (
    describe_by,
    ends_like_a_sentence,
    fill_template,
    fold,
    has_content,
    readable_name,
)


@pytest.mark.parametrize(
    ("descriptor", "sentence"),
    [
        ("a long neck", "mute swan, which is a long neck"),
        ("an orange bill", "mute swan, which is an orange bill"),
        ("arched back", "mute swan, which is arched back"),  # the release looks at the first letter only
        ("used in parks", "mute swan, which is used in parks"),
        ("has webbed feet", "mute swan, which has webbed feet"),
        ("often swims", "mute swan, which often swims"),
        ("typically white", "mute swan, which typically white"),
        ("may hiss", "mute swan, which may hiss"),
        ("can fly", "mute swan, which can fly"),
        ("webbed feet", "mute swan, which has webbed feet"),
        ("  webbed\n feet ", "mute swan, which has webbed feet"),
    ],
)
def test_a_descriptor_takes_the_verb_that_the_release_gives_it(descriptor, sentence):
    assert describe_by("mute_swan", descriptor) == sentence


def test_a_template_takes_the_readable_name_in_every_place_and_keeps_other_braces():
    assert fill_template("a {} {0} {x} beside a {}", "hot_dog") == "a hot dog {0} {x} beside a hot dog"


def test_texts_fold_together_when_case_space_or_unicode_form_is_all_that_differs():
    assert fold("  A  Caf\u00e9\u00a0") == fold("a cafe\u0301")
    assert fold("a cafe") != fold("a café")
    assert fold("\ufeffa\u00adcafe\u200b") == fold("acafe")


def test_what_has_neither_letter_nor_digit_has_no_content():
    assert [has_content(text) for text in ("", " \t", "…!?", "-", "7", "猫")] == [False] * 4 + [True] * 2


def test_a_sentence_ends_with_a_mark_also_before_a_quote():
    assert all(map(ends_like_a_sentence, ["It is red.", 'He said "no!"', "Is it? ", "猫です。"]))
    assert not any(map(ends_like_a_sentence, ["long tail", "a tail, mostly", ""]))


@pytest.mark.parametrize(
    ("class_name", "readable"),
    [
        ("hot_dog", "hot dog"),
        ("Hot-Dog", "Hot Dog"),
        ("apartment_building-outdoor", "apartment building outdoor"),  # as in CLIP-D's Places365
        ("ring-tailed lemur", "ring-tailed lemur"),
        ("arcade (passageway)", "arcade (passageway)"),
        ("n01440764", "tench"),
        ("n02012849", "crane bird"),  # CLIP's own name: WordNet's is "crane", as that of the machine
        ("n00000000", "n00000000"),
    ],
)
def test_a_name_is_readable_in_a_text(class_name, readable):
    assert readable_name(class_name) == readable

"""Files in exactly the shape in which others publish theirs, with texts of our own, and the same files with a flaw."""

import json
from collections import Counter
from typing import Any

import pytest

from laketag.pipeline.config import DescriptionSettings
from laketag.pipeline.descriptions.containers import read_contents
from laketag.pipeline.descriptions.lint import find_bare_classes, lint
from laketag.pipeline.descriptions.reading import ClassSentences, read_descriptions

CUPL = {  # sarahpratt/CuPL, all_prompts: sentences of a language model, with its white space and its slips
    "tench": [
        "A tench is a fish with an olive-green body.",
        " A tench lives in slow rivers.",
        "Water quality matters for tench.",
        "1.",
    ],
    "great white shark": [
        "\nA great white shark is a large fish.",
        ' a gray body and a white belly, "unlike other sharks.',
        ".",
    ],
    "crane bird": [
        "Crane birds are tall.",
        "The neck is long.",
        "There is no one definitive answer to this question.",
    ],
}
CLIP_D = {  # sachit-menon/classify_by_description_release, descriptors: fragments; some classes have none
    "airplane_cabin": ["an enclosed space", "typically has rows of seats", "may have a galley", "windows"],
    "apartment_building-outdoor": ["a building with multiple stories", "each story has balconies"],
    "arcade (passageway)": ["a series of arches", "used for walking"],
    "donuts": [],
    "chocolate mousse": ["it is served in a glass,", "it may be garnished with a cherry."],
}
CLIP_E = [
    "a bad photo of a {}.",
    "a photo of many {}.",
    "a sculpture of a {}.",
    "itap of my {}.",
]  # OpenAI's ImageNet templates
WAFFLE = ["foot", "loud", "wheelbarrow"]  # ExplainableML/WaffleCLIP, word_list.pkl, written as JSON
WNIDS = {"n01440764": ["A tench is olive-green."], "n01484850": ["Great white sharks are gray."]}


def read(content: Any, names: list[str] | None = None) -> ClassSentences:
    file = "published.json"
    contents = read_contents(json.dumps(content).encode(), file)
    return read_descriptions(contents, file, None, names, DescriptionSettings().label_prompt)


def reasons(sentences: ClassSentences) -> dict[str, int]:
    rows = lint(sentences.by_class, DescriptionSettings(), "FILE")
    return dict(Counter(row.drop_reason for row in rows if row.drop_reason))


def test_cupl_sentences_are_read_as_they_are_on_one_line() -> None:
    sentences = read(CUPL)
    assert sentences.detected.format == "cupl"
    assert sentences.by_class["great white shark"][0] == "A great white shark is a large fish."
    assert reasons(sentences) == {"empty": 1}
    assert sentences.notices == ()


def test_clip_d_descriptors_get_the_readable_name_and_an_empty_list_refuses_nothing() -> None:
    sentences = read(CLIP_D)
    assert sentences.detected.format == "clip-d"
    assert sentences.by_class["airplane_cabin"][:2] == (
        "airplane cabin, which is an enclosed space",
        "airplane cabin, which typically has rows of seats",
    )
    assert sentences.by_class["apartment_building-outdoor"][0].startswith(
        "apartment building outdoor, which is"
    )
    rows = lint(sentences.by_class, DescriptionSettings(), "FILE")
    assert find_bare_classes(rows) == ["donuts"]
    assert [row.text for row in rows if row.class_name == "donuts"] == ["a photo of a donuts."]


def test_clip_e_templates_are_filled_for_names_of_another_file() -> None:
    sentences = read(CLIP_E, ["tench", "hot_dog"])
    assert sentences.detected.format == "clip-e"
    assert sentences.by_class["hot_dog"] == tuple(template.replace("{}", "hot dog") for template in CLIP_E)


def test_waffle_words_describe_every_class_of_another_file() -> None:
    sentences = read(WAFFLE, ["tench", "wheelbarrow"])
    assert sentences.detected.format == "clip-d"
    assert sentences.by_class["tench"] == (
        "tench, which has foot",
        "tench, which has loud",
        "tench, which has wheelbarrow",
    )
    assert reasons(sentences) == {"names_another_class": 1}


def test_wordnet_ids_stay_the_classes_and_their_names_are_in_the_texts() -> None:
    sentences = read(WNIDS)
    assert sentences.detected.format == "cupl"
    rows = lint(sentences.by_class, DescriptionSettings(), "FILE")
    assert [row.text for row in rows if row.is_label_prompt] == [
        "a photo of a tench.",
        "a photo of a great white shark.",
    ]
    assert read({wnid: [] for wnid in WNIDS}).detected.format == "cupl"


@pytest.mark.parametrize(
    ("content", "bare", "dropped"),
    [
        ({"kettle": [], "ladder": ["two long rails", "rungs"], "lantern": ["glass walls"]}, ["kettle"], {}),
        ({"kettle": None, "ladder": ["two long rails", "rungs"], "lantern": "glass walls"}, ["kettle"], {}),
        ({"kettle": ["", " ", "…"], "ladder": ["two long rails", "rungs"]}, ["kettle"], {"empty": 3}),
        (
            {
                "barrel": ["staves of wood"],
                "rain gauge": ["a narrow barrel", "a barrel on a post"],
                "ladder": ["rails"],
            },
            ["rain gauge"],
            {"names_another_class": 2},
        ),
        (
            {
                "arch": ["An arch is a curve of stone.", "Its stones lean on each other."],
                "aqueduct": [
                    "An aqueduct carries water over one arch.",
                    "It looks like an arch beside an arch.",
                ],
                "dam": ["A dam holds back a lake.", "Its wall is thick at the foot."],
            },
            ["aqueduct"],
            {"names_another_class": 2},
        ),
        ({"kettle": [], "ladder": []}, ["kettle", "ladder"], {}),
    ],
    ids=[
        "empty list",
        "null",
        "nothing to read",
        "all name another",
        "sentences name another",
        "no text at all",
    ],
)
def test_a_class_without_a_text_to_keep_refuses_nothing(
    content: Any, bare: list[str], dropped: dict[str, int]
) -> None:
    sentences = read(content)
    assert find_bare_classes(lint(sentences.by_class, DescriptionSettings(), "FILE")) == bare
    assert reasons(sentences) == dropped
    assert sentences.notices == ()

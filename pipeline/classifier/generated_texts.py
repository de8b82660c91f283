"""Texts that methods make themselves from class names: CLIP-E's templates and Waffle's random words and characters."""

import string
from collections.abc import Sequence

import numpy as np

from laketag.pipeline.classifier.random_numbers import draw_uniforms, pick_integers
from laketag.pipeline.descriptions.sentences import describe_by, readable_name
from laketag.pipeline.models.libraries import open_clip

CHARACTERS = string.ascii_lowercase + string.digits + "-"
"""Of the characters that descriptors are made of."""
SHORTEST_WORD = 3

Texts = dict[str, tuple[str, ...]]
"""Class name → texts."""


def template_texts(class_names: Sequence[str]) -> Texts:
    """CLIP's 80 templates of ImageNet (openai/CLIP, notebooks/Prompt_Engineering_for_ImageNet) for each class."""
    return {
        name: tuple(template(readable_name(name)) for template in open_clip.OPENAI_IMAGENET_TEMPLATES)
        for name in class_names
    }


def waffle_texts(class_names: Sequence[str], pairs: int, seed: int) -> Texts:
    """Waffle's texts (arXiv 2306.07282): the same random descriptors for every class, in CLIP-D's frame."""
    descriptors = waffle_descriptors([readable_name(name) for name in class_names], pairs, seed)
    return {name: tuple(describe_by(name, text) for text in descriptors) for name in class_names}


def waffle_descriptors(names: Sequence[str], pairs: int, seed: int) -> tuple[str, ...]:
    """``pairs`` descriptors of random words, and as many of random characters.

    Like the mode ``waffle`` of ExplainableML/WaffleCLIP: as many words as class names have on average, cut to the average
    length of their words; and for each word a group of characters, together at least as many as the names' longest words
    have on average. Its list of words is not published as text; open_clip's vocabulary stands for it.
    """
    split = [name.split() or [name] for name in names]
    count = max(1, round(float(np.mean([len(words) for words in split]))))
    letters = max(1, round(float(np.mean([np.mean([len(word) for word in words]) for words in split]))))
    longest = int(np.ceil(np.mean([max(map(len, words)) for words in split])))
    group = longest // count + 1
    vocabulary = known_words()
    picked = _pick(seed, "waffle words", (pairs, count), len(vocabulary))
    words = [" ".join(vocabulary[index][:letters] for index in row) for row in picked]
    drawn = _pick(seed, "waffle characters", (pairs, count * group), len(CHARACTERS))
    signs = ["".join(CHARACTERS[index] for index in row) for row in drawn]
    groups = [", ".join(row[start : start + group] for start in range(0, len(row), group)) for row in signs]
    return (*words, *groups)


def known_words() -> list[str]:
    """The entries of open_clip's vocabulary that end words and are written in ASCII letters, in its order."""
    ends = (
        entry.removesuffix("</w>") for entry in open_clip.SimpleTokenizer().encoder if entry.endswith("</w>")
    )
    return [word for word in ends if word.isascii() and word.isalpha() and len(word) >= SHORTEST_WORD]


def _pick(seed: int, kind: str, shape: tuple[int, int], choices: int) -> np.ndarray:
    uniforms = draw_uniforms("", seed, kind, shape[0] * shape[1])
    return pick_integers(uniforms, 0, choices - 1).reshape(shape)

"""Sentences from class names, descriptors and templates."""

import re
import unicodedata

from laketag.pipeline.descriptions.unicode_text import normalise_text
from laketag.pipeline.descriptions.wordnet import name_of_wnid

PLACE = "{}"
"""The place of the class name in a template or prompt."""
SENTENCE_END = re.compile(r"""[.!?。！？]['"”’)\]]*\s*$""")  # with full-width marks


def readable_name(class_name: str) -> str:
    """The class name for use in a text: ``hot_dog`` and ``Hot-Dog`` with spaces, a WordNet id as the name it stands for.

    In a name with spaces hyphens stay: they belong to a word, as in "ring-tailed lemur".
    """
    name = name_of_wnid(class_name) or class_name
    if " " not in name:
        name = name.replace("-", " ")
    return " ".join(name.replace("_", " ").split())


def fill_template(template: str, class_name: str) -> str:
    """The template with the class name in every ``{}``; other braces stay."""
    return template.replace(PLACE, readable_name(class_name))


def describe_by(class_name: str, descriptor: str) -> str:
    """``{class}, which is/has {descriptor}``, with the verb that the CLIP-D release chooses.

    The release compares first letters, so every descriptor that begins with "a" gets "is".
    Menon & Vondrick, ICLR 2023 (arXiv 2210.07183); sachit-menon/classify_by_description_release,
    descriptor_strings.py.
    """
    fragment = " ".join(descriptor.split())
    if fragment.startswith(("a", "used")):
        verb = "is "
    elif fragment.startswith(("has", "often", "typically", "may", "can")):
        verb = ""
    else:
        verb = "has "
    return f"{readable_name(class_name)}, which {verb}{fragment}"


def has_content(text: str) -> bool:
    """Whether the text has a letter or a digit."""
    return any(character.isalnum() for character in text)


def fold(text: str) -> str:
    """The text without differences in case, white space, Unicode form and invisible characters."""
    return " ".join(unicodedata.normalize("NFKC", normalise_text(text)).casefold().split())


def ends_like_a_sentence(text: str) -> bool:
    """Whether the text ends with a full stop, an exclamation mark or a question mark."""
    return SENTENCE_END.search(text) is not None

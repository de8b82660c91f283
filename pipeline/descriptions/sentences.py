"""Sentences made from class names, descriptors and templates."""

import re
import unicodedata

PLACE = "{}"
"""Where a template or prompt wants the class name."""
SENTENCE_END = re.compile(r"""[.!?。！？]['"”’)\]]*\s*$""")  # full-width marks are meant


def spoken(class_name: str) -> str:
    """The class name as it stands in a text: underscores are spaces."""
    return " ".join(class_name.replace("_", " ").split())


def fill_template(template: str, class_name: str) -> str:
    """The template with the class name in every ``{}``; other braces are left alone."""
    return template.replace(PLACE, spoken(class_name))


def describe_by(class_name: str, descriptor: str) -> str:
    """``{class}, which is/has {descriptor}``, with the verb that the CLIP-D release chooses.

    It looks at the first letters only, so any descriptor that begins with "a" is joined by "is".
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
    return f"{spoken(class_name)}, which {verb}{fragment}"


def has_content(text: str) -> bool:
    """Whether the text holds a letter or digit."""
    return any(character.isalnum() for character in text)


def tidy(text: str) -> str:
    """The text on one line with single spaces, as the tokenizer sees it anyway."""
    return " ".join(text.split())


def fold(text: str) -> str:
    """What two texts share when they differ only in case, white space or Unicode form."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def ends_like_a_sentence(text: str) -> bool:
    """Whether the text closes with a full stop, an exclamation mark or a question mark."""
    return SENTENCE_END.search(text) is not None

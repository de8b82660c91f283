"""The formats of description files, and how they are detected.

========  ====================================================================================================
names     text, one class name a line; the label prompt is the only description
cupl      JSON object: class → sentences (Pratt et al., ICCV 2023, arXiv 2209.03320)
clip-d    JSON object: class → descriptors, which become "{class}, which is/has {descriptor}"
clip-e    JSON list of templates with ``{}``, for names from a second file; or JSON object: class → templates
csv       columns ``class`` and ``text``, with a header
parquet   columns ``class`` and ``text``
========  ====================================================================================================
"""

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Literal, get_args

from laketag.pipeline.descriptions.class_names import NameFinder
from laketag.pipeline.descriptions.sentences import PLACE, ends_like_a_sentence
from laketag.pipeline.descriptions.strict_json import decode_text, read_json
from laketag.pipeline.errors import InputError

Format = Literal["names", "cupl", "clip-d", "clip-e", "csv", "parquet"]
FORMATS: tuple[Format, ...] = get_args(Format)
BY_SUFFIX: dict[str, Format] = {".txt": "names", ".csv": "csv", ".tsv": "csv", ".parquet": "parquet"}
PARQUET_MAGIC = b"PAR1"
CLEAR_FRACTION = 0.9
"""A format is clear if at least this fraction of the texts agrees."""


@dataclass(frozen=True)
class Detected:
    """A format, and the reason for choosing it in words."""

    format: Format
    because: str


def detect_format(content: bytes, file: str) -> Detected:
    """The file's format, or an InputError with the reason why it is not clear.

    The extension decides (.txt is names, .csv and .tsv are csv, .parquet), then Parquet's first bytes, then the JSON:
    texts with ``{}`` are templates (CLIP-E). If at least 90 % of the other texts end like sentences or name their
    class, they are CuPL sentences; if at most 10 % do, they are CLIP-D descriptors, which are fragments.
    """
    suffix = PurePosixPath(file).suffix.lower()
    if suffix in BY_SUFFIX:
        return Detected(BY_SUFFIX[suffix], f"its extension is {suffix}")
    if content.startswith(PARQUET_MAGIC):
        return Detected("parquet", "it begins like a Parquet file")
    text = decode_text(content, file)
    if suffix == ".json" or text.lstrip()[:1] in ("{", "["):
        return _detect_json(read_json(text, file), file)
    raise InputError(
        f"{file}: neither the extension (.txt, .csv, .tsv, .json, .parquet) nor the content shows the format; "
        f"name it with --format {'|'.join(FORMATS)}"
    )


def _detect_json(value: Any, file: str) -> Detected:
    pairs = _texts(value)
    templates = sum(PLACE in text for _, text in pairs)
    if pairs and templates == len(pairs):
        return Detected("clip-e", "every text is a template with {}")
    if isinstance(value, list):
        raise InputError(
            f"{file}: a JSON list is a list of templates, and {len(value) - templates} of its {len(value)} "
            "entries are not texts with {}; put {} where the class name goes, or write an object of "
            "class → texts, or class names as lines of a .txt file"
        )
    if templates:
        raise InputError(
            f"{file}: {templates} of {len(pairs)} texts are templates with {{}} and the others are not; "
            "make all of them templates (clip-e) or none, or name the format with --format"
        )
    if not pairs:
        raise InputError(
            f"{file}: no text to detect the format from; write an object of class → list of texts"
        )
    finder = NameFinder(list(dict.fromkeys(name for name, _ in pairs)))
    sentences = sum(ends_like_a_sentence(text) or finder.mentions(name, text) for name, text in pairs)
    found = f"{sentences} of {len(pairs)} texts"
    if sentences >= CLEAR_FRACTION * len(pairs):
        return Detected("cupl", f"{found} end like sentences or name their class")
    if sentences <= (1 - CLEAR_FRACTION) * len(pairs):
        return Detected(
            "clip-d", f"only {sentences} of {len(pairs)} texts end like sentences or name their class"
        )
    raise InputError(
        f"{file}: {found} end like sentences or name their class, too few for CuPL sentences and too many "
        "for CLIP-D descriptors; choose with --format cupl or --format clip-d"
    )


def _texts(value: Any) -> list[tuple[str, str]]:
    """All (class, text) pairs of the value, without entries of a wrong type; the texts of a list have the class ''."""
    lists = value if isinstance(value, dict) else {"": value}
    return [
        (name, text)
        for name, texts in lists.items()
        if isinstance(texts, list)
        for text in texts
        if isinstance(text, str) and text.strip()
    ]

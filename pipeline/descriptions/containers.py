"""A description file's bytes as its contents: JSON, JSON Lines, CSV or lines, told by extension and first characters."""

import re
from pathlib import PurePosixPath
from typing import Literal

from laketag.pipeline.descriptions.contents import Contents
from laketag.pipeline.descriptions.json_contents import is_json_lines, read_json_contents, read_json_lines
from laketag.pipeline.descriptions.strict_json import decode_text
from laketag.pipeline.descriptions.table_contents import read_table
from laketag.pipeline.descriptions.unicode_text import normalise_text
from laketag.pipeline.errors import InputError

Container = Literal["csv", "lines"]
BY_EXTENSION: dict[str, Container] = {".txt": "lines", ".csv": "csv", ".tsv": "csv"}
JSON_LINES = (".jsonl", ".ndjson")
JSON_START = re.compile(r"""\s*(\{\s*["']|\[\s*["'{[\]])""")
"""An object with a key, or a list of texts, objects or lists; a line may start with ``{}`` or with a bracketed word."""
LINE_END = re.compile(r"\r\n|\r|\n")
PICKLE = re.compile(rb"\x80[\x02-\x05]")


def read_contents(content: bytes, file: str, container: Container | None = None) -> Contents:
    """The contents of the file; ``container`` goes before the extension. Parquet's rows go to ``group_rows``."""
    if PICKLE.match(content):
        raise InputError(
            f"{file} is a Python pickle, which can run code when it is read, so laketag never reads it; "
            "write what it holds as JSON: json.dump(pickle.load(open(PKL, 'rb')), open(JSON, 'w'))"
        )
    text = decode_text(content, file)
    extension = PurePosixPath(file).suffix.lower()
    is_json = extension == ".json" or bool(JSON_START.match(text))
    if extension in JSON_LINES or (is_json and is_json_lines(text)):
        return read_json_lines(text, file)
    if is_json:
        return read_json_contents(text, file)
    container = container or BY_EXTENSION.get(extension)
    if container == "csv":
        return read_table(text, file)
    if container == "lines":
        return Contents(tuple(map(normalise_text, LINE_END.split(text))))
    raise InputError(
        f"{file}: neither the extension (.txt, .csv, .tsv, .json, .jsonl, .parquet) nor the content shows the format; "
        "name it with --format names|cupl|clip-d|clip-e|csv|parquet"
    )

"""Text and JSON from bytes; errors name the place."""

import json
from typing import Any

from laketag.pipeline.errors import InputError


def decode_text(content: bytes, file: str) -> str:
    """The bytes as UTF-8 text, without a byte order mark."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(f"{file} is UTF-16 text, and description files are UTF-8; save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{file}, line {line}: byte {error.start} (0x{content[error.start]:02x}) is not UTF-8; "
            "save the file as UTF-8"
        ) from None


def read_json(text: str, file: str) -> tuple[Any, tuple[str, ...]]:
    """The JSON value, and the keys that are repeated in an object; their values are joined in one list."""
    repeated: dict[str, None] = {}

    def build(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        built: dict[str, Any] = {}
        for key, value in pairs:
            if key in built:
                repeated[key] = None
                value = [*_as_list(built[key]), *_as_list(value)]
            built[key] = value
        return built

    try:
        value = json.loads(text, object_pairs_hook=build)
    except json.JSONDecodeError as error:
        raise InputError(
            f"{file}, line {error.lineno}, column {error.colno}: not JSON ({error.msg}); correct that place, "
            "or give a file of lines the extension .txt"
        ) from None
    except RecursionError:
        raise InputError(
            f"{file}: nested too deeply for a description file; write an object of lists of texts"
        ) from None
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise InputError(
            f"{file}: holds half of a surrogate pair (\\ud800 to \\udfff), which is not text; correct it"
        ) from None
    return value, tuple(repeated)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]

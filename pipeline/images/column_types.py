"""What columns of a table may hold, judged by their types; and finding a column by its name."""

import re
from collections.abc import Callable, Sequence

import pyarrow as pa

from laketag.pipeline.errors import InputError


def is_text(kind: pa.DataType) -> bool:
    """Whether values of the type are text, also as a dictionary (a categorical column)."""
    values = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(
        pa.types.is_string(values) or pa.types.is_large_string(values) or pa.types.is_string_view(values)
    )


def is_scalar(kind: pa.DataType) -> bool:
    """Whether values of the type are text or numbers."""
    return is_text(kind) or bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    )


def is_bytes(kind: pa.DataType) -> bool:
    """Whether values of the type are bytes of any length."""
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind))


def holds_images(kind: pa.DataType) -> bool:
    """Whether a column of the type can hold images: bytes, or structs with a field ``bytes``."""
    return is_bytes(kind) or _has_field(kind, "bytes", is_bytes)


def find_bytes(schema: pa.Schema, name: str) -> str | None:
    """The dotted path to the bytes in the column: NAME or NAME.FIELD; None if it holds none."""
    top, below = split_name(schema, name)
    kind = schema.field(top).type
    if pa.types.is_struct(kind):
        field = below or "bytes"
        return f"{top}.{field}" if _has_field(kind, field, is_bytes) else None
    return name if is_bytes(kind) and not below else None


def find_path_beside(schema: pa.Schema, bytes_path: str) -> str | None:
    """The dotted path to the text ``path`` in the struct that the bytes are in; None if there is none."""
    top, below = split_name(schema, bytes_path)
    return f"{top}.path" if below and _has_field(schema.field(top).type, "path", is_text) else None


def split_name(schema: pa.Schema, name: str) -> tuple[str, str]:
    """The column that a name or dotted path names, and the field below it, if any; a column's name may hold dots."""
    top, _, below = (name, "", "") if name in schema.names else name.partition(".")
    return top, below


def find_usual(
    schema: pa.Schema, usual_names: Sequence[str], is_kind: Callable[[pa.DataType], bool]
) -> str | None:
    """The first column with one of these names, the first name preferred, whose type is of the kind.

    Names are compared in any case and without ``_``, ``-`` and spaces, unless they begin with such a mark.
    """
    for usual in usual_names:
        alike = [
            field for field in schema if _simplified(field.name) == _simplified(usual) and is_kind(field.type)
        ]
        if alike:
            return next((usual for field in alike if field.name == usual), str(alike[0].name))
    return None


def check_single(file: str, schema: pa.Schema, name: str, option: str) -> None:
    """Exactly one column has the name, or an InputError names it and the columns that exist."""
    columns = schema.names.count(name)
    if not columns:
        raise InputError(f"{file} has no column {name!r} for {option}; {list_columns(schema)}")
    if columns > 1:
        raise InputError(
            f"{file} has {columns} columns {name!r}, so it is unclear which one to read; rename the others, or name another "
            f"one with {option}"
        )


def list_columns(schema: pa.Schema) -> str:
    """The columns that exist, in words."""
    return f"its columns: {', '.join(name if name.isprintable() else repr(name) for name in schema.names)}"


def _has_field(kind: pa.DataType, name: str, is_kind: Callable[[pa.DataType], bool]) -> bool:
    if not pa.types.is_struct(kind):
        return False
    index = kind.get_field_index(name)  # -1 also where the name is doubled
    return index >= 0 and is_kind(kind.field(index).type)


def _simplified(name: str) -> str:
    return name[:1].lower() + re.sub("[-_ ]", "", name[1:].lower())

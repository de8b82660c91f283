"""Which columns of an existing index hold what: named by the user, or found under the usual names."""

from dataclasses import dataclass, replace

import pyarrow as pa

from laketag.pipeline.errors import InputError

URI_NAMES = ("uri", "url", "path", "file_name", "filename")
IMAGE_NAMES = ("image", "bytes", "img")


@dataclass(frozen=True, kw_only=True)
class IndexColumns:
    """The source's columns by their meaning; None: found under the usual names, or not there."""

    uri: str | None = None
    id: str | None = None
    etag: str | None = None
    true_class: str | None = None
    image: str | None = None  # binary, or a struct with a field ``bytes``


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


PLAIN_COLUMNS = {
    "uri": ("--uri-column", "text", is_text),
    "id": ("--id-column", "text or numbers", is_scalar),
    "etag": ("--etag-column", "text", is_text),
    "true_class": ("--class-column", "text or numbers", is_scalar),
}
"""For each field of IndexColumns but the image: its option, what the column must hold, and the check of its type."""


def choose_columns(file: str, schema: pa.Schema, columns: IndexColumns) -> IndexColumns:
    """The columns with either ``uri`` or ``image`` found, the latter as a dotted path to its bytes.

    An InputError names the column that is missing or of the wrong type, and the columns that exist.
    """
    existing = f"its columns: {', '.join(schema.names)}"
    _check_plain_columns(file, schema, columns)
    if columns.image is not None and columns.uri is not None:
        raise InputError(
            f"--uri-column {columns.uri} and --image-column {columns.image} both say where the images of {file} are; "
            "leave one out"
        )
    if columns.uri is not None:
        return columns
    image = columns.image or _find_image_column(schema)
    if image is not None:
        return replace(columns, image=_checked_image_column(file, schema, image, columns.etag))
    uri = next(
        (name for name in URI_NAMES if name in schema.names and is_text(schema.field(name).type)), None
    )
    if uri is None:
        raise InputError(
            f"{file} has neither a column of URIs nor one of image bytes; "
            f"name it with --uri-column or --image-column; {existing}"
        )
    return replace(columns, uri=uri)


def _check_plain_columns(file: str, schema: pa.Schema, columns: IndexColumns) -> None:
    existing = f"its columns: {', '.join(schema.names)}"
    for field, (option, kind, is_kind) in PLAIN_COLUMNS.items():
        name = getattr(columns, field)
        if name is not None and name not in schema.names:
            raise InputError(f"{file} has no column {name!r} for {option}; {existing}")
        if name is not None and not is_kind(schema.field(name).type):
            raise InputError(
                f"{file}: column {name!r} for {option} is {schema.field(name).type}, not {kind}; {existing}"
            )


def _find_image_column(schema: pa.Schema) -> str | None:
    return next((name for name in IMAGE_NAMES if name in schema.names and _bytes_path(schema, name)), None)


def _checked_image_column(file: str, schema: pa.Schema, name: str, etag: str | None) -> str:
    existing = f"its columns: {', '.join(schema.names)}"
    top = name if name in schema.names else name.partition(".")[0]
    if top not in schema.names:
        raise InputError(f"{file} has no column {name!r} for --image-column; {existing}")
    path = _bytes_path(schema, name)
    if path is None:
        raise InputError(
            f"{file}: column {name!r} is {schema.field(top).type}, not bytes or a struct with a field 'bytes'; {existing}"
        )
    if "&" in path or "#" in path:
        raise InputError(
            f"{file}: column {path!r} has '&' or '#' in its name, which would end it in the images' URIs; rename the column"
        )
    if etag is not None:
        raise InputError(
            f"{file}: --etag-column {etag} is for images in s3://, and those embedded in {path} have the version "
            "of their table; leave the option out"
        )
    return path


def _bytes_path(schema: pa.Schema, name: str) -> str | None:
    """The dotted path to the bytes in the column: NAME or NAME.FIELD; None if it holds none."""
    top, _, below = (name, "", "") if name in schema.names else name.partition(".")
    kind = schema.field(top).type
    if pa.types.is_struct(kind):
        field = below or "bytes"
        index = kind.get_field_index(field)
        return f"{top}.{field}" if index >= 0 and _is_bytes(kind.field(index).type) else None
    return name if _is_bytes(kind) and not below else None


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))

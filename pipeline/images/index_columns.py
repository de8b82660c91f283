"""Which columns of a table hold what: named by the user, or found under the usual names."""

from dataclasses import dataclass, fields, replace

import pyarrow as pa

from laketag.pipeline.errors import InputError
from laketag.pipeline.images.column_types import (
    check_single,
    find_bytes,
    find_path_beside,
    find_usual,
    holds_images,
    is_scalar,
    is_text,
    list_columns,
    split_name,
)
from laketag.pipeline.images.hugging_face import find_image_feature
from laketag.pipeline.images.image_formats import IMAGE_EXTENSIONS

IMAGE_NAMES = (
    *("image", "img", "bytes", "image_bytes", "img_bytes", "image_data", "images", "picture", "photo"),
    "content",  # Spark's binaryFile
    *("jpg", "jpeg", "png", "webp"),  # img2dataset, and WebDatasets as Parquet
    *sorted(IMAGE_EXTENSIONS - {"jpg", "jpeg", "png", "webp"}),
)
URI_NAMES = (
    *("uri", "url", "path", "file_name", "file", "file_path"),
    *(
        "image_uri",
        "image_url",
        "image_path",
        "image_file",
        "img_url",
        "img_path",
        "s3_uri",
        "s3_url",
        "s3_path",
    ),
    *("image", "img"),
)
"""Usual names, the preferred first; they are found in any case, and without ``_``, ``-`` and spaces."""


@dataclass(frozen=True, kw_only=True)
class IndexColumns:
    """The source's columns as the user names them; None: found under the usual names, or not there."""

    uri: str | None = None
    id: str | None = None
    etag: str | None = None
    true_class: str | None = None
    image: str | None = None  # bytes, or a struct with a field ``bytes``


UNREAD = ("why", "image", "image_also")


@dataclass(frozen=True, kw_only=True)
class ChosenColumns:
    """The columns that are read. Images are in ``image``, or named by ``bucket`` and ``key``, or by ``uri``."""

    why: str
    """Where the images are, in words for a person."""
    image: str | None = None
    """Dotted path to the bytes."""
    image_also: tuple[str, ...] = ()
    """Dotted paths to other bytes, for rows that have none in ``image``."""
    image_path: str | None = None
    """Dotted path to text beside the bytes, which names the image where there are none."""
    uri: str | None = None
    bucket: str | None = None
    key: str | None = None
    size: str | None = None
    id: str | None = None
    etag: str | None = None
    true_class: str | None = None

    @property
    def read(self) -> list[str]:
        """All columns but the one of bytes, which stay where they are."""
        names = [getattr(self, field.name) for field in fields(self) if field.name not in UNREAD]
        return list(dict.fromkeys(name for name in names if name))


PLAIN_COLUMNS = {
    "uri": ("--uri-column", "text", is_text),
    "id": ("--id-column", "text or numbers", is_scalar),
    "etag": ("--etag-column", "text", is_text),
    "true_class": ("--class-column", "text or numbers", is_scalar),
}
"""For each field of IndexColumns but the image: its option, what the column must hold, and the check of its type."""


def choose_columns(file: str, schema: pa.Schema, named: IndexColumns) -> ChosenColumns:
    """Where the images are, and the named columns: by option, else bytes, else bucket and key, else URIs, by usual names.

    An InputError names the column that is missing, doubled or of the wrong type, and the columns that exist.
    """
    _check_plain_columns(file, schema, named)
    if named.image is not None and named.uri is not None:
        raise InputError(
            f"--uri-column {named.uri} and --image-column {named.image} both say where the images of {file} are; "
            "leave one out"
        )
    others = ChosenColumns(why="", id=named.id, etag=named.etag, true_class=named.true_class)
    if named.uri is not None:
        return replace(
            others, uri=named.uri, why=f"the URIs in column {named.uri!r} name the images (--uri-column)"
        )
    if named.image is not None:
        return _embedded(file, schema, named.image, "--image-column", others)
    uri = find_usual(schema, URI_NAMES, is_text)
    image = find_image_feature(schema) or find_usual(schema, IMAGE_NAMES, holds_images)
    if image is not None:
        why = "found by its name and type" + (f"; the URIs in column {uri!r} are not read" if uri else "")
        return _with_other_formats(_embedded(file, schema, image, why, others), file, schema)
    bucket, key = find_usual(schema, ("bucket",), is_text), find_usual(schema, ("key",), is_text)
    if bucket is not None and key is not None:
        return _objects(file, schema, (bucket, key), others)
    if uri is None:
        raise _no_images(file, schema)
    check_single(file, schema, uri, "--uri-column")
    return replace(others, uri=uri, why=f"the URIs in column {uri!r} name the images (found by its name)")


def _embedded(file: str, schema: pa.Schema, image: str, why: str, others: ChosenColumns) -> ChosenColumns:
    """The columns of a table that contains the images' bytes."""
    path = _checked_image_column(file, schema, image, others.etag)
    beside = find_path_beside(schema, path)
    where = f"; where they are null, {beside!r} names the images" if beside else ""
    return replace(
        others,
        image=path,
        image_path=beside,
        why=f"the images are the bytes in column {path!r} ({why}){where}",
    )


def _with_other_formats(chosen: ChosenColumns, file: str, schema: pa.Schema) -> ChosenColumns:
    """The columns, with those of the other formats if the table has one column for each, as of WebDatasets."""
    assert chosen.image is not None
    first, _ = split_name(schema, chosen.image)
    if first.lower() not in IMAGE_EXTENSIONS:
        return chosen
    names = [
        name
        for name in schema.names
        if name.lower() in IMAGE_EXTENSIONS and name != first and find_bytes(schema, name)
    ]
    if not names:
        return chosen
    paths = [_checked_image_column(file, schema, name, None) for name in names]
    also = ", ".join(map(repr, paths))
    return replace(
        chosen, image_also=tuple(paths), why=f"{chosen.why}; where there are none, those in {also} are taken"
    )


def _objects(
    file: str, schema: pa.Schema, bucket_key: tuple[str, str], others: ChosenColumns
) -> ChosenColumns:
    """The columns of a table of objects of S3, such as those that S3 Inventory writes."""
    bucket, key = bucket_key
    etag = others.etag or find_usual(schema, ("e_tag",), is_text)
    size = find_usual(schema, ("size",), pa.types.is_integer)
    for name in (bucket, key, etag, size):
        if name is not None:
            check_single(file, schema, name, "--uri-column")
    versions = f", and {etag!r} their versions" if etag else ""
    why = f"the buckets in column {bucket!r} and the keys in {key!r} name the images{versions}"
    return replace(others, bucket=bucket, key=key, etag=etag, size=size, why=why)


def _check_plain_columns(file: str, schema: pa.Schema, named: IndexColumns) -> None:
    for field, (option, kind, is_kind) in PLAIN_COLUMNS.items():
        name = getattr(named, field)
        if name is None:
            continue
        check_single(file, schema, name, option)
        if not is_kind(schema.field(name).type):
            raise InputError(
                f"{file}: column {name!r} for {option} is {schema.field(name).type}, not {kind}; {list_columns(schema)}"
            )


def _checked_image_column(file: str, schema: pa.Schema, name: str, etag: str | None) -> str:
    top, _ = split_name(schema, name)
    check_single(file, schema, top if schema.names.count(top) else name, "--image-column")
    path = find_bytes(schema, name)
    if path is None:
        raise InputError(
            f"{file}: column {name!r} is {schema.field(top).type}, not bytes or a struct with a field 'bytes'; "
            f"{list_columns(schema)}"
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


def _no_images(file: str, schema: pa.Schema) -> InputError:
    for names, wanted, fix in (
        (
            IMAGE_NAMES,
            "images are read from binary columns, or structs with a binary field 'bytes'",
            "binary",
        ),
        (URI_NAMES, "URIs are read from columns of text", "text"),
    ):
        if usual := find_usual(schema, names, lambda _: True):
            kind = schema.field(schema.names.index(usual)).type
            return InputError(
                f"{file}: column {usual!r} is {kind}, and {wanted}; write it as {fix}, or name another column with "
                f"--image-column or --uri-column; {list_columns(schema)}"
            )
    return InputError(
        f"{file} has neither a column of URIs nor one of image bytes; "
        f"name it with --uri-column or --image-column; {list_columns(schema)}"
    )

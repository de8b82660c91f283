"""A column is taken by its option or its usual name, and one that cannot be what it should is refused by its option."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from laketag.pipeline.errors import InputError
from laketag.pipeline.images.index_columns import IndexColumns, choose_columns
from tests.images.indexing import fetched, put_parquet, read_index
from tests.stores.store import folder_store


@pytest.mark.parametrize(
    ("columns", "named", "message"),
    [
        ({"uri": ["a"]}, {"true_class": "nope"}, "no column 'nope' for --class-column"),
        (
            {"uri": ["a"], "meta": [{"label": "x"}]},
            {"true_class": "meta.label"},
            "no column 'meta.label' for --class",
        ),
        ({"uri": ["a"], "l": [["x"]]}, {"true_class": "l"}, "column 'l' for --class-column is list"),
        ({"uri": [b"a"]}, {"uri": "uri"}, "column 'uri' for --uri-column is binary, not text"),
        ({"uri": ["a"], "i": [b"x"]}, {"uri": "uri", "image": "i"}, "leave one out"),
        ({"uri": ["a"]}, {"image": "i"}, "no column 'i' for --image-column"),
        ({"uri": ["s3://b/a"], "n": [1]}, {"etag": "n"}, "column 'n' for --etag-column is int64, not text"),
        ({"uri": ["a"], "md5": ["0"]}, {"etag": "md5"}, "/a is not in one.*leave the option out"),
        ({"image": [b"a"], "md5": ["0"]}, {"etag": "md5"}, "version of their table; leave the option out"),
        ({"img&1": [b"x"]}, {"image": "img&1"}, "column 'img&1' has '&' or '#' in its name.*rename"),
        ({"a#b": [{"bytes": b"x"}]}, {"image": "a#b"}, "column 'a#b.bytes' has '&' or '#' in its name"),
    ],
)
def test_a_column_that_does_not_hold_what_it_should_is_refused_by_its_option(
    tmp_path: Path, columns: dict[str, Any], named: dict[str, str], message: str
) -> None:
    store = folder_store(tmp_path)
    with pytest.raises(InputError, match=message):
        read_index(store, put_parquet(store, "index.parquet", columns), **named)


def test_a_name_with_a_dot_is_a_column_like_any_other(tmp_path: Path) -> None:
    store = folder_store(tmp_path)
    store.put("a.jpg", b"x")
    source = put_parquet(store, "index.parquet", {"image.url": ["a.jpg"], "my.bytes": [b"picture"]})
    assert read_index(store, source, uri="image.url")["uri"].to_list() == [store.url("a.jpg")]
    assert fetched(store, read_index(store, source, image="my.bytes")) == [b"picture"]


def choose(fields: list[tuple[str, pa.DataType]], **named: str) -> dict[str, str]:
    chosen = vars(choose_columns("t.parquet", pa.schema(fields), IndexColumns(**named)))
    return {field: value for field, value in chosen.items() if value and field != "why"}


TEXT, BYTES = pa.string(), pa.binary()


@pytest.mark.parametrize(
    ("fields", "chosen"),
    [
        ([("url", TEXT), ("jpg", BYTES)], {"image": "jpg"}),
        ([("path", TEXT), ("content", pa.large_binary())], {"image": "content"}),
        ([("url", TEXT), ("mask", BYTES)], {"uri": "url"}),
        ([("bytes", TEXT), ("url", TEXT)], {"uri": "url"}),
        ([("URL", TEXT), ("TEXT", TEXT)], {"uri": "URL"}),
        ([("Url", TEXT), ("url", TEXT)], {"uri": "url"}),
        ([("image", TEXT), ("label", TEXT)], {"uri": "image"}),
        ([("image", TEXT), ("File Name", TEXT)], {"uri": "File Name"}),
        ([("ImagePath", TEXT), ("x", BYTES)], {"uri": "ImagePath"}),
        ([("__url__", TEXT), ("png", BYTES)], {"image": "png"}),
        ([("key", TEXT), ("url", TEXT)], {"uri": "url"}),
        ([("bucket", TEXT), ("key", TEXT), ("url", TEXT)], {"bucket": "bucket", "key": "key"}),
        ([("img", pa.struct([("bytes", BYTES)]))], {"image": "img.bytes"}),
        (
            [("image", pa.struct([("bytes", pa.binary_view()), ("path", pa.string_view())]))],
            {"image": "image.bytes", "image_path": "image.path"},
        ),
        ([("unused", TEXT), ("unused", TEXT), ("url", TEXT)], {"uri": "url"}),
    ],
)
def test_usual_names_are_found_and_bytes_win(
    fields: list[tuple[str, pa.DataType]], chosen: dict[str, str]
) -> None:
    assert choose(fields) == chosen


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ([("url", TEXT), ("url", TEXT)], {}),
        ([("image", BYTES), ("image", BYTES)], {}),
        ([("image", BYTES), ("image", TEXT), ("url", TEXT)], {}),
        ([("bucket", TEXT), ("key", TEXT), ("key", TEXT)], {}),
        ([("url", TEXT), ("c", TEXT), ("c", TEXT)], {"true_class": "c"}),
        ([("url", TEXT), ("i", TEXT), ("i", TEXT)], {"id": "i"}),
        ([("u", TEXT), ("u", TEXT)], {"uri": "u"}),
        ([("b", BYTES), ("b", BYTES)], {"image": "b"}),
    ],
)
def test_a_doubled_column_is_refused_by_its_name(
    fields: list[tuple[str, pa.DataType]], named: dict[str, str]
) -> None:
    doubled = next(name for name, _ in fields if [other for other, _ in fields].count(name) > 1)
    with pytest.raises(InputError, match=f"has 2 columns '{doubled}'.*rename the others, or name another"):
        choose(fields, **named)


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        (pa.list_(pa.uint8()), "list<"),
        (pa.binary(4), r"fixed_size_binary\[4\]"),
        (pa.dictionary(pa.int32(), BYTES), "dictionary<values=binary"),
        (pa.struct([("bytes", TEXT)]), "struct<bytes: string>"),
    ],
)
def test_images_of_another_type_are_refused_with_it(kind: pa.DataType, word: str) -> None:
    with pytest.raises(InputError, match=f"column 'image' is {word}.*write it as binary"):
        choose([("image", kind), ("label", TEXT)])


@pytest.mark.parametrize("kind", [BYTES, pa.large_binary(), pa.binary_view()])
@pytest.mark.parametrize("is_struct", [True, False])
def test_bytes_of_each_type_are_read(tmp_path: Path, kind: pa.DataType, is_struct: bool) -> None:
    store = folder_store(tmp_path)
    values = pa.array([b"picture", None], kind)
    column = (
        pa.StructArray.from_arrays([values, pa.array(["a", None])], ["bytes", "path"])
        if is_struct
        else values
    )
    index = read_index(store, put_parquet(store, "t.parquet", {"image": column}))
    assert fetched(store, index) == [b"picture", "empty"]


def test_the_columns_of_an_error_are_shown_without_control_characters() -> None:
    with pytest.raises(InputError, match=r"its columns: 'a\\x1b\[2J', b"):
        choose([("a\x1b[2J", TEXT), ("b", TEXT)])


def test_uris_of_another_type_are_refused_with_it() -> None:
    with pytest.raises(InputError, match="column 'url' is binary, and URIs are read from columns of text"):
        choose([("url", BYTES), ("label", TEXT)])

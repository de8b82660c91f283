"""A column is taken by its option or its usual name, and one that cannot be what it should is refused by its option."""

from pathlib import Path
from typing import Any

import pytest

from laketag.pipeline.errors import InputError
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

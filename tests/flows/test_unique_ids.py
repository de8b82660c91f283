"""Ids that come twice are refused by name, wherever in the source they are."""

from collections.abc import Callable, Iterator

import polars as pl
import pytest

from laketag.pipeline.errors import InputError
from laketag.pipeline.flows.unique_ids import refuse_duplicates
from tests.lake.label_rows import index_rows


def read_once(*batches: str) -> Callable[[], Iterator[pl.DataFrame]]:
    """A source with these ids in its batches."""
    return lambda: (index_rows(batch) for batch in batches)


def never() -> Iterator[pl.DataFrame]:
    raise AssertionError("the source is read again although all ids differ")


@pytest.mark.parametrize("batches", [("abca",), ("abc", "de", "fa"), ("abc", "", "a")])
def test_an_id_that_comes_twice_is_refused_by_the_uri_of_its_image(batches: tuple[str, ...]) -> None:
    read = read_once(*batches)
    with pytest.raises(
        InputError, match=r"S: 1 image\(s\) are in the index twice, such as /images/a.png, /images/a.png;"
    ):
        list(refuse_duplicates(read(), read, "S"))


def test_many_are_counted_and_a_few_named() -> None:
    ids = [f"{number}" for number in range(5_000)] * 2

    def read() -> Iterator[pl.DataFrame]:
        yield index_rows(ids)

    with pytest.raises(InputError, match=r"S: 5000 image\(s\) .* such as (/images/\d+.png(, )?){3};"):
        list(refuse_duplicates(read(), read, "S"))


@pytest.mark.parametrize("batches", [(), ("",), ("abc", "de")])
def test_ids_that_differ_pass_and_the_source_is_read_once(batches: tuple[str, ...]) -> None:
    read = read_once(*batches)
    passed = list(refuse_duplicates(read(), never, "S"))
    assert [list(batch["image_id"]) for batch in passed] == [list(batch) for batch in batches]

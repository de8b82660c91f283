"""What ``laketag describe`` prints of a described set."""

import io

import polars as pl
from rich.console import Console

from laketag.jobs.describe import show_dropped_texts, show_summary
from laketag.pipeline.descriptions.formats import Detected
from laketag.pipeline.flows.describe_classes import DescribedSet

ROWS = [  # class, position, text, drop reason, truncated
    ("cat", -1, "a photo of a cat.", None, False),
    ("cat", 0, "A cat has whiskers.", None, True),
    ("cat", 1, "A cat has whiskers.", "exact_duplicate", False),
    ("dog", -1, "a photo of a dog.", None, False),
    ("dog", 0, "A dog barks [loudly].", None, False),
]


def described(*, is_new: bool = True) -> DescribedSet:
    rows = pl.DataFrame(ROWS, ["class_name", "position", "text", "drop_reason", "truncated"], orient="row")
    return DescribedSet("animals", "v1", "lake/d.parquet", Detected("cupl", "it is"), is_new, rows)


def test_texts_are_counted_by_what_became_of_them() -> None:
    console = Console(file=io.StringIO(), width=100, markup=False)
    show_summary(described(), console)
    show_dropped_texts(described(), console)
    lines = [" ".join(line.split()) for line in console.file.getvalue().splitlines()]  # type: ignore[attr-defined]
    assert lines == [
        "set animals, version v1",
        "classes 2",
        "texts read 3",
        "kept 2",
        "dropped, exact_duplicate 1",
        "kept, but cut at the context's length 1",
        "descriptions: lake/d.parquet",
        "class reason text",
        "cat exact_duplicate A cat has whiskers.",
    ]


def test_a_set_with_the_same_content_is_reported_as_nothing_to_do() -> None:
    console = Console(file=io.StringIO(), width=100, markup=False)
    show_summary(described(is_new=False), console)
    assert "nothing to do: the newest version of the set has the same content" in console.file.getvalue()  # type: ignore[attr-defined]

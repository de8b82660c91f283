"""The rows of tables, and the repairs and refusals with their places."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from laketag.pipeline.descriptions.table_contents import find_columns, group_rows, read_table
from laketag.pipeline.errors import InputError

CELL = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=20)


@given(st.lists(st.tuples(st.sampled_from(["cat", "dog", "owl"]), CELL)), st.sampled_from([",", ";", "\t"]))
def test_a_csv_file_gives_the_same_texts_as_its_rows(texts: list[tuple[str, str]], delimiter: str) -> None:
    rows = [("cat", "one"), ("dog", "two"), *texts]
    sink = io.StringIO()
    writer = csv.writer(sink, delimiter=delimiter)
    writer.writerow(["note", "Class", " text"])
    writer.writerows([(number, *row) for number, row in enumerate(rows)])
    assert read_table(sink.getvalue(), "FILE") == group_rows(rows, "csv")


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (["class", "text"], ("class", "text")),
        (["id", "Class-Name", "Prompt"], ("Class-Name", "Prompt")),
        (["label", "class_name", "description"], ("class_name", "description")),
        (["wnid", "sentence", "url"], ("wnid", "sentence")),
    ],
)
def test_columns_are_found_by_any_of_their_usual_names(columns: list[str], expected: tuple[str, str]) -> None:
    assert find_columns(columns, "FILE") == expected


def test_rows_without_a_class_are_left_out_and_named_and_empty_rows_are_not() -> None:
    found = group_rows([("cat", "a"), (None, "b"), ("", ""), (" ", "c"), ("dog", None)], "parquet")
    assert found.texts == {"cat": ("a",), "dog": ("",)}
    assert found.notices == ("2 row(s) without a class are left out: row 2 'b', row 4 'c'",)


@pytest.mark.parametrize(
    "content",
    [
        "class,text\ncat,A cat, which purrs\ndog,a\n\nowl,\n \n",
        "text,class\nA cat, which purrs,cat\na,dog\n\n,owl\n \n",
    ],
)
def test_a_text_without_quotes_before_or_after_the_class_is_joined_and_named(content: str) -> None:
    found = read_table(content, "FILE")
    assert found.texts == {"cat": ("A cat, which purrs",), "dog": ("a",), "owl": ("",)}
    assert found.notices == (
        "1 text(s) hold the delimiter without quotes, and their parts are joined: line 2 'A cat, which purrs'",
    )


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("\n", "no column 'class' and no column 'text' among none"),
        ("class,gloss\ncat,a", "FILE: no column 'text' among 'class', 'gloss'"),
        ("class,text,url\ncat,a,b,c\n", "line 2 has 4 field(s), the header 3"),
        ("class,text\ncat,A cat\nwhich purrs\n", "line 3 has 1 field(s), the header 2; quote texts"),
        ('class,text\ncat,"a\n', "FILE, line 2: not CSV"),
    ],
)
def test_a_broken_table_is_refused_with_the_place(content: str, says: str) -> None:
    with pytest.raises(InputError) as error:
        read_table(content, "FILE")
    assert says in str(error.value)

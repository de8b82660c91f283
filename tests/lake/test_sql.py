"""SQL over the tables of a lake."""

import pytest

from laketag.pipeline.errors import InputError
from laketag.pipeline.lake.sql import sql
from tests.lake.label_rows import label_row
from tests.lake.run_rows import write_run


@pytest.fixture
def root(lake):
    write_run(lake, 1, [label_row("a"), label_row("b", failure="empty")])
    return lake.root


def test_the_tables_may_be_joined(root):
    query = """-- every label with its run
        SELECT l.image_id, t.label, r.run_id FROM labels l
        JOIN tags t ON l.image_id = t.image_id JOIN runs r ON l.run_id = r.run_id
        WHERE t.rank = 1;
    """
    assert sql(root, query).collect().rows() == [("a", "cat", "20260101T000000.000000Z-f00d")]
    assert sql(root, "(SELECT count(*) FROM unsure)").collect().item() == 1
    assert sql(root, "SELECT failure FROM failures", collection="photos").collect().item() == "empty"


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("", "SQL: the query is empty"),
        ("/* only a remark */", "SQL: the query is empty"),
        ("DROP TABLE labels", "SQL: 'DROP TABLE labels' is no SELECT"),
        ("SELECT uri,\n  nothing FROM labels", 'SQL, line 2, column 3 (nothing): unable to find column "nothing"'),
        ("SELECT l.nothing FROM labels l", "SQL, line 1, column 8 (l.nothing): no column named 'nothing'"),
        ("SELECT * FROM images", "SQL, line 1, column 15 (images): relation 'images' was not found"),
    ],
)  # fmt: skip
def test_what_no_table_has_is_answered_with_the_place_and_what_they_have(root, query, says):
    with pytest.raises(InputError) as error:
        sql(root, query)
    assert str(error.value).startswith(says)
    assert "\n  labels: uri, label, probability, tags" in str(error.value)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("SELECT label FROM labels WHERE", "SQL, line 1, column 31: Expected: an expression, found: the end"),
        ("SELECT * FORM labels", "SQL, line 1, column 10: Expected: end of statement, found: FORM"),
        ("SELECT 'uri FROM labels", "SQL, line 1, column 8: Unterminated string literal"),
        ("SELECT 1; SELECT 2", "SQL, line 1, column 9 (;): there are several statements"),
        ("SELECT 'a' -- nofunc\n, nofunc(uri) FROM labels", "SQL, line 2, column 3 (nofunc): unsupported function"),
        ("SELECT evidence.x FROM labels", "SQL, line 1, column 8 (evidence.x): there is no field 'x'"),
        ("SELECT uri, count(*) FROM labels", "SQL, line 1, column 8 (uri): 'uri' should participate in the GROUP BY"),
        ("SELECT * FROM labels ORDER BY 99", "SQL, line 1, column 31 (99): ORDER BY ordinal value"),
        ("SELECT CAST(uri AS FOO) FROM labels", "SQL, line 1, column 20 (FOO): datatype"),
        ("SELECT * FROM labels LIMIT -1", "SQL, line 1, column 22 (LIMIT): non-numeric arguments"),
        ("SELECT * FROM read_csv('/no/such.csv')", "SQL, line 1, column 24 (/no/such.csv): No such file"),
        ("SELECT MAX(*) FROM labels", "SQL 'SELECT MAX(*) FROM labels': 'Expr: cs.all()' not allowed"),
        ("SELECT * FROM labels WHERE labelled_at > 'soon'", "SQL, line 1, column 28 (labelled_at): cannot compare a time"),
    ],
)  # fmt: skip
def test_a_mistake_that_needs_no_rows_is_one_sentence_with_its_place(root, query, says):
    with pytest.raises(InputError) as error:
        sql(root, query)
    assert str(error.value).startswith(says)
    assert str(error.value).endswith("; correct the query")
    assert "\n" not in str(error.value)

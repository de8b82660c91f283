"""Results as files and text; ``tests/jobs/test_query.py`` reads every format back, on every store."""

import polars as pl
import pytest

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import InputError
from laketag.pipeline.lake.query_results import as_text, flatten, write_result


def test_nested_values_become_json_and_null_stays_null() -> None:
    values = [[{"label": 'a "b"}', "probability": 0.5}], [], None]
    frame = pl.LazyFrame({'t"x': values, "s": [{"v": 1}, {"v": None}, None], "n": [1, 2, 3]})
    assert flatten(frame).collect().rows() == [
        ('[{"label":"a \\"b\\"}","probability":0.5}]', '{"v":1}', 1),
        ("[]", '{"v":null}', 2),
        (None, None, 3),
    ]


def test_text_is_one_array_or_one_object_per_line() -> None:
    rows = pl.DataFrame({"tags": [["a", "b"], []]})
    assert as_text(rows, "csv") == 'tags\n"[""a"",""b""]"\n[]\n'
    assert as_text(rows, "json") == '[{"tags":["a","b"]},{"tags":[]}]\n'
    assert as_text(rows, "ndjson") == '{"tags":["a","b"]}\n{"tags":[]}\n'


@pytest.mark.parametrize("suffix", ["csv", "json", "ndjson", "parquet"])
def test_a_query_that_fails_on_its_rows_leaves_the_old_file(tmp_path, suffix) -> None:
    file = tmp_path / f"rows.{suffix}"
    write_result(pl.LazyFrame({"n": ["1"]}), str(file), StorageSettings())
    old = file.read_bytes()
    failing = pl.LazyFrame({"n": ["one"]}).select(pl.col("n").cast(pl.Int64))
    with pytest.raises(InputError, match="the query fails on the rows"):
        write_result(failing, str(file), StorageSettings())
    assert file.read_bytes() == old
    assert list(tmp_path.iterdir()) == [file]

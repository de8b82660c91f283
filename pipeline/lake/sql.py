"""SQL over the tables of a lake."""

import re
from collections.abc import Collection
from typing import Any, Unpack

import polars as pl

from laketag.pipeline.config import StorageSettings
from laketag.pipeline.errors import InputError
from laketag.pipeline.lake.filters import ImageFilter, NightFilter, RowFilter, SqlFilter
from laketag.pipeline.lake.queries import TABLES, open_runs
from laketag.pipeline.lake.query_errors import explain_sql, query_errors, read_tokens

UNKNOWN_NAME = re.compile(r"unable to find column|no column named|relation '.*' was not found")


def sql(
    root: str, query: str, *, storage: StorageSettings | None = None, **which: Unpack[SqlFilter]
) -> pl.LazyFrame:
    """The result of a SELECT over the tables of laketag.pipeline.lake.queries, lazily.

    InputError with the place of the mistake if the query is wrong. ``collect`` raises what depends on the rows (for
    example a text that cannot be cast to a number) as polars words it; query_errors puts it into a sentence.
    """

    def open_tables(names: Collection[str]) -> dict[str, pl.LazyFrame]:
        of_nights = NightFilter.__annotations__
        known = {"runs": RowFilter.__annotations__, "nights": of_nights, "decisions": of_nights}
        known["failures"] = ImageFilter.__annotations__
        filters: dict[str, dict[str, Any]] = {
            name: {key: value for key, value in which.items() if key in known.get(name, which)}
            for name in names
        }
        # the runs are read once, whatever the number of tables
        opened = open_runs(root, storage) if set(names) - {"nights", "decisions"} else root
        return {name: TABLES[name](opened, storage=storage, **filters[name]) for name in names}

    words = [token.text.lower() for token in read_tokens(query)]
    first = next((word for word in words if word != "("), "")
    if first not in ("select", "with", "from"):
        what = f"{query.strip()[:60]!r} is no SELECT" if first else "the query is empty"
        raise InputError(
            f"SQL: {what}; write one over these tables and columns:\n{_listed(open_tables(TABLES))}"
        )
    # opening a table reads files, so only those that the query may mention
    named = open_tables([name for name in TABLES if name in words])
    try:
        result: pl.LazyFrame = pl.SQLContext(named, eager=False).execute(query)
        result.collect_schema()
    except (pl.exceptions.PolarsError, OSError) as error:  # read_csv and its like open files
        if not UNKNOWN_NAME.match(str(error)):
            with query_errors(root, query):
                raise
        listed = _listed(named or open_tables(TABLES))
        raise InputError(
            f"{explain_sql(error, query)}; correct the query. Tables and columns:\n{listed}"
        ) from error
    return result


def _listed(frames: dict[str, pl.LazyFrame]) -> str:
    return "\n".join(
        f"  {name}: {', '.join(frame.collect_schema().names())}" for name, frame in frames.items()
    )

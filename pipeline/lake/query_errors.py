"""Errors of queries as sentences: what is wrong, and at which place of the SQL."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import polars as pl

from laketag.pipeline.errors import InputError
from laketag.pipeline.store.errors import translate

TOKEN = re.compile(
    r"(?P<comment>--[^\n]*|/\*.*?\*/)|'(?:[^']|'')*'|\"[^\"]*\"|`[^`]*`|[\w.]*\w|\S", re.DOTALL
)
PARSER_PLACE = re.compile(r"(.*?),? at Line: (\d+), Column: (\d+)")
QUOTED = re.compile(r"'([^']*)'|\"([^\"]*)\"|`([^`]*)`|found:? (\S+)|\(os error \d+\): (\S+)")
MISSING_FILE = re.compile(r"\(os error 2\): (?:\.\.\.)?(.*?)(?: \(set POLARS_VERBOSE.*)?$", re.MULTILINE)
"""The file that does not exist; polars cuts off the beginning of a long path."""
STATISTICS = re.compile(r"_(?:min|max|nc)$")
"""Ends the names under which polars compares the statistics of a Parquet file's columns."""
REWORDED = (
    (r"aggregation 'item' expected .* got (\d+) values", r"a subquery gives \1 rows where one value is needed", "select"),
    (r"could not find an appropriate format to parse (\w+?)s?,.*", r"a text cannot be read as a \1", "date|(date)?time(stamp)?"),
    (r"one \(and only one\) statement can be parsed at a time", "there are several statements, and one is allowed", ";"),
    (r"regex error: regex parse error: (.*?) \^+ error: (.*)", r"the regular expression '\1' is wrong, \2", None),
    (r"cannot compare 'date/datetime/time' to a string value.*", "cannot compare a time to a text that is no time", None),
)  # fmt: skip
"""Messages of polars that users of SQL cannot read: their pattern, what is meant, and the token that causes them."""


class Token(NamedTuple):
    """A word, a text, a name or a sign of SQL, without its quotes, and where it begins."""

    text: str
    start: int


def read_tokens(sql: str) -> list[Token]:
    """The tokens of the query, without comments; texts and names without their quotes."""
    found = [match for match in TOKEN.finditer(sql) if not match["comment"]]
    return [
        Token(match[0].strip("'\"`") if len(match[0]) > 1 else match[0], match.start()) for match in found
    ]


@contextmanager
def query_errors(root: str, sql: str | None = None) -> Iterator[None]:
    """A query that fails, also on its rows, raises an InputError; a store that fails raises a StorageError."""
    try:
        yield
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        missing = MISSING_FILE.search(str(error))
        # read_csv('no/such/file') is a mistake in the SQL
        named_by_sql = sql and missing and missing[1] in sql
        place = f"{root} (…{missing[1]})" if missing else root
        # polars raises the same types for the store's errors
        of_store = None if named_by_sql else translate(place, error)
        if of_store is not None:
            raise of_store from error
        if sql is None:
            raise InputError(f"the query of {root} fails: {_reason(error)}") from error
        raise InputError(f"{explain_sql(error, sql)}; correct the query") from error


def explain_sql(error: BaseException, sql: str) -> str:
    """What is wrong with the SQL and where, in one line."""
    reason = _reason(error)
    tokens = read_tokens(sql)
    if parsed := PARSER_PLACE.match(reason):
        return f"SQL, line {parsed[2]}, column {parsed[3]}: {parsed[1]}"
    if reason.endswith("EOF"):
        return f"SQL, {_line_and_column(sql, len(sql.rstrip()))}: {reason.replace('EOF', 'the end')}"
    found: list[Token] = []
    for pattern, words, cause in REWORDED:
        if re.fullmatch(pattern, reason):
            reason = re.sub(pattern, words, reason)
            found = [token for token in tokens if cause and re.fullmatch(cause, token.text, re.IGNORECASE)][
                -1:
            ]
    found = found or _mentioned(f"{reason}\n\n{error}", tokens)
    place = f", {_line_and_column(sql, found[0].start)} ({found[0].text})" if found else f" {_shorten(sql)!r}"
    return f"SQL{place}: {reason}"


def _reason(error: BaseException) -> str:
    """What polars says, on one line, without its plan, its expressions and its hints for Python."""
    first = re.split(r"\n\n|; valid columns|\. It's possible that", str(error).strip())[0]
    if isinstance(error, pl.exceptions.StructFieldNotFoundError):
        return f"there is no field {first!r}"
    return _shorten(first.removeprefix("sql parser error: "), 300) or type(error).__name__


def _mentioned(message: str, tokens: list[Token]) -> list[Token]:
    """The token that the message quotes, if any: of several, the rarest in the query, where it comes last."""
    for part in message.split("\n\n"):  # first what polars says, then the expression in which it says it
        quoted = [STATISTICS.sub("", next(filter(None, groups), "")) for groups in QUOTED.findall(part)]
        places = [_find(name, tokens) or _find(name.partition("(")[0], tokens) for name in quoted]
        if found := [place for place in places if place]:
            # comparisons and sub-queries come after the columns that they use
            return min(found, key=len)[-1:]
    keywords = set(re.findall(r"\b[A-Z]{3,}\b", message.partition("\n\n")[0]))
    return [token for token in tokens if token.text.upper() in keywords][:1]


def _find(name: str, tokens: list[Token]) -> list[Token]:
    """The tokens that are the name, or end with it, as ``labels.uri`` or ``'1 day'``."""
    return [token for token in tokens if name and re.search(rf"(?:^|[. ]){re.escape(name)}$", token.text)]


def _shorten(text: str, characters: int = 80) -> str:
    line = " ".join(text.split())
    return line if len(line) <= characters else line[: characters - 1] + "…"


def _line_and_column(sql: str, position: int) -> str:
    before = sql[:position]
    return f"line {before.count(chr(10)) + 1}, column {position - before.rfind(chr(10))}"

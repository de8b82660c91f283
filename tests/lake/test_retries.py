"""Which failures are tried again: by themselves a bounded number of times, and when what they depended on has changed."""

import pytest

from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.plan import find_pending
from laketag.pipeline.lake.retries import RetryRules
from laketag.pipeline.lake.runs import read_runs
from laketag.pipeline.lake.snapshots import latest_snapshot, write_snapshot
from tests.lake.label_rows import index_rows, label_row
from tests.lake.run_rows import RUN, write_run

NOW = {"too_large": "100", "too_many_pixels": "200", "unsupported": "heic png", "outside_policy": '["/a"]'}


def planned(lake: Lake, rules: RetryRules) -> dict[str, int | None]:
    """The images that a run has to do, with their earlier attempts."""
    snapshot = latest_snapshot(lake, RUN.collection)
    rows = find_pending(lake, snapshot, read_runs(lake), rules).rows
    return dict(rows.select("image_id", "earlier_attempts").iter_rows())


def fail(lake: Lake, run: int, attempts: int, earlier: int | None, reason: str = "timeout") -> None:
    row = label_row("a", failure=reason) | {"attempts": attempts, "earlier_attempts": earlier}
    write_run(lake, run, [row])


def test_attempts_are_counted_over_runs_up_to_a_limit_and_then_need_a_wish(lake: Lake) -> None:
    write_snapshot(lake, RUN.collection, [index_rows("ab")])
    rules = RetryRules(attempts_over_runs=8)
    assert planned(lake, rules) == {"a": None, "b": None}
    fail(lake, 1, attempts=4, earlier=None)
    assert planned(lake, rules) == {"a": 4, "b": None}
    fail(lake, 2, attempts=0, earlier=4)  # not even asked for: counts as one attempt
    assert planned(lake, rules) == {"a": 5, "b": None}
    fail(lake, 3, attempts=3, earlier=5)
    assert planned(lake, rules) == {"b": None}
    found = find_pending(lake, latest_snapshot(lake, RUN.collection), read_runs(lake), rules)
    assert found.failed == {"timeout": 1}
    wished = RetryRules(attempts_over_runs=8, wanted=frozenset(["timeout"]))
    assert planned(lake, wished) == {"a": None, "b": None}, "counted from the beginning"
    write_snapshot(lake, RUN.collection, [index_rows("ab", etag="v2")])
    assert planned(lake, rules) == {"a": None, "b": None}, "another version"


@pytest.mark.parametrize(
    ("reason", "then", "is_tried"),
    [
        ("too_large", "99", True),
        ("too_large", "100", False),
        ("too_large", "101", False),
        ("too_many_pixels", "9", True),
        ("too_many_pixels", "1000", False),
        ("unsupported", "png", True),
        ("unsupported", "heic png", False),
        ("unsupported", "heic jxl png", False),
        ("outside_policy", "[]", True),
        ("outside_policy", '["/a"]', False),
        ("truncated", "1", False),
        ("too_large", None, False),
        ("unsupported", None, False),
    ],
)
def test_a_failure_is_tried_again_when_what_it_depended_on_has_changed(
    lake: Lake, reason: str, then: str | None, is_tried: bool
) -> None:
    write_snapshot(lake, RUN.collection, [index_rows("a")])
    write_run(lake, 1, [label_row("a", failure=reason) | {"failure_depended_on": then}])
    assert planned(lake, RetryRules(depends_on=NOW)) == ({"a": 1} if is_tried else {})
    assert planned(lake, RetryRules(depends_on=NOW, attempts_over_runs=1)) == {}


def test_a_row_of_an_earlier_version_names_its_limit_in_words(lake: Lake) -> None:
    write_snapshot(lake, RUN.collection, [index_rows("ab")])
    details = {"a": "500 bytes, over fetch.max_bytes = 99", "b": "500 bytes, over fetch.max_bytes = 100"}
    rows = [label_row(name, failure="too_large") | {"failure_detail": text} for name, text in details.items()]
    write_run(lake, 1, rows)
    assert planned(lake, RetryRules(depends_on=NOW)) == {"a": 1}

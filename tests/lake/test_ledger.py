import pytest

from laketag.pipeline.errors import LedgerError
from laketag.pipeline.lake.id_ranges import split_staged
from laketag.pipeline.lake.ledger import Ledger, balance
from laketag.pipeline.lake.paths import Lake
from laketag.pipeline.lake.staging import write_part
from tests.lake.label_rows import label_frame, label_row
from tests.lake.run_rows import freeze_run


def balance_rows(
    lake: Lake, planned: str, rows: list[dict[str, object]], *, may_leave: bool = False
) -> Ledger:
    """The ledger of a run over the planned images that has staged these rows."""
    run = freeze_run(lake, planned)
    write_part(lake, run.run_id, label_frame(rows))
    with split_staged(lake, run.run_id, run.planned) as split:
        return balance(lake, run, split.ranges, may_leave=may_leave)


def test_failures_are_counted_by_reason(lake) -> None:
    reasons = {"a": None, "b": "timeout", "c": "empty", "d": "empty"}
    ledger = balance_rows(lake, "abcd", [label_row(i, failure=reason) for i, reason in reasons.items()])
    assert ledger.labelled == 1
    assert list(ledger.failures.items()) == [("empty", 2), ("timeout", 1)]


def test_images_without_a_row_are_named(lake) -> None:
    with pytest.raises(LedgerError, match=r"7 planned, .* 6 without a result \(b, c, d, e, f, …\), 0 never"):
        balance_rows(lake, "abcdefg", [label_row("a")])


def test_a_row_that_was_never_planned_is_named(lake) -> None:
    with pytest.raises(LedgerError, match=r"0 without a result, 1 never planned \(zebra\)"):
        balance_rows(lake, "a", [label_row("a"), label_row("zebra")])


def test_another_version_of_a_planned_image_is_not_its_result(lake) -> None:
    with pytest.raises(LedgerError, match=r"1 without a result \(a\), 1 never planned \(a\)"):
        balance_rows(lake, "a", [label_row("a", etag="v2")])


def test_a_run_may_leave_images_but_has_no_row_that_was_never_planned(lake) -> None:
    ledger = balance_rows(lake, "abc", [label_row("b")], may_leave=True)
    assert (ledger.labelled, ledger.undone) == (1, 2)
    with pytest.raises(LedgerError, match=r"1 never planned \(zebra\)"):
        balance_rows(lake, "abc", [label_row("zebra")], may_leave=True)

"""The rounds would notice what they look for; and a seed says all about its round."""

import polars as pl
import pytest

from laketag.schemas import Runs
from tests.chaos.comparison import Comparison, compare, transient_rows
from tests.chaos.disturbances import FAULTS, KILLS, draw_round
from tests.lake.label_rows import EPOCH, label_frame, label_row

UNDISTURBED = label_frame([label_row("a"), label_row("b", failure="truncated")])


def runs(*ids: str, planned: int = 2, labelled: int = 1) -> pl.DataFrame:
    rows = [{"run_id": name, "planned": planned, "labelled": labelled, "finished_at": EPOCH} for name in ids]
    return pl.DataFrame(rows, schema_overrides=Runs.create_empty().select(list(rows[0])).schema)


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ([label_row("a", run_id="x"), label_row("b", failure="truncated", run_id="x")], Comparison()),
        ([label_row("a", run_id="x")], Comparison(lost=["b"], unbalanced=["x"])),
        (
            [label_row("a"), label_row("a"), label_row("b", failure="truncated")],
            Comparison(doubled=["a"], unbalanced=["r"]),
        ),
        ([label_row("a", label="dog"), label_row("b", failure="truncated")], Comparison(different=["a"])),
        ([label_row("a"), label_row("b", failure="empty")], Comparison(different=["b"])),
        (
            [label_row("a"), label_row("b", failure="truncated"), label_row("c")],
            Comparison(different=["c"], unbalanced=["r"]),
        ),
    ],
    ids=["equal", "lost", "doubled", "another label", "another failure", "one too many"],
)
def test_each_difference_is_found(rows: list[dict[str, object]], found: Comparison) -> None:
    assert compare(label_frame(rows), runs(str(rows[0]["run_id"])), UNDISTURBED) == found


def test_an_image_that_was_done_in_an_earlier_run_is_doubled() -> None:
    rows = [label_row("a", run_id=run) for run in "xy"] + [label_row("b", failure="truncated", run_id="x")]
    assert compare(label_frame(rows), runs("x", "y"), UNDISTURBED).doubled == ["a"]


def test_a_transient_failure_is_no_end() -> None:
    assert transient_rows(label_frame([label_row("a", failure="timeout"), label_row("b")])) == 1


def test_a_seed_decides_its_round_and_many_seeds_draw_everything() -> None:
    rounds = [draw_round(seed, 25) for seed in range(200)]
    assert rounds == [draw_round(seed, 25) for seed in range(200)]
    assert len({drawn.store for drawn in rounds}) == 2
    kinds = {found.kind for drawn in rounds for found in drawn.disturbances}
    assert kinds >= set(KILLS)
    assert len(kinds - set(KILLS)) == len({draw.__closure__[0].cell_contents for draw in FAULTS})

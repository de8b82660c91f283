import pyarrow as pa
import pytest

from laketag.schemas import Labels, label_arrow_schema
from tests.lake.label_rows import label_frame, label_row


def test_rows_travel_between_stages_without_loss() -> None:
    rows = [label_row("a"), label_row("b", failure="empty")]
    table = pa.Table.from_pylist(rows, label_arrow_schema())
    assert table.to_pylist() == rows
    assert Labels.validate(label_frame(rows)).equals(label_frame(table.to_pylist()))


@pytest.mark.parametrize(
    "changes",
    [
        {"label": None},
        {"failure": "empty"},
        {"probability": 1.5},
        {"margin": -1.0},
        {"tags": []},
        {"tags": [{"label": "dog", "probability": 0.75}, {"label": "cat", "probability": 0.25}]},
        {"tags": [{"label": "cat", "probability": 0.5}]},
        *({part: None} for part in ("probability", "score", "margin", "tags", "evidence", "width_px")),
    ],
    ids=str,
)
def test_a_row_that_is_neither_a_whole_consistent_label_nor_a_failure_breaks_the_contract(changes) -> None:
    assert Labels.is_valid(label_frame([label_row("a")]))
    assert not Labels.is_valid(label_frame([label_row("a") | changes]))

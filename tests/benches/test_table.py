"""The table of a bench is written where the last one was, and what an unfinished bench has measured is read again."""

import json
from dataclasses import asdict
from pathlib import Path

from tests.benches.rows import Row, seconds_row
from tests.benches.table import Bench, Measured, read_kept, replace_section

ROW = seconds_row("text tower", 5.0, 1.25, "largest difference 1e-7")
BENCH = Bench("make bench", ("text-tower",))


def test_a_section_replaces_the_one_of_the_same_command_and_no_other() -> None:
    page = replace_section(
        replace_section("# Page\n", BENCH, "first | \\1"), Bench("make bench-large", ()), "large"
    )
    again = replace_section(page, BENCH, "second")
    assert again == page.replace("first | \\1", "second")
    assert again.startswith("# Page\n")


def test_rows_that_were_kept_are_the_same_when_they_are_read(tmp_path: Path) -> None:
    measured = Measured("text-tower", (ROW, Row(what="a", without="b", with_="c", ratio="d")), 3.5, 0.25)
    kept = tmp_path / "rows.jsonl"
    assert list(read_kept(kept)) == []
    kept.write_text(json.dumps(asdict(measured)) + "\n")
    assert list(read_kept(kept)) == [measured]
    assert (ROW.without, ROW.with_, ROW.ratio) == ("5 s", "1.25 s", "4.00")

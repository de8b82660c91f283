from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest
import ray.data

from laketag.pipeline.cluster.execution import open_blocks
from laketag.pipeline.cluster.wait_notes import WAITING, noting_waits, show_waits
from laketag.pipeline.cluster.work_notes import WorkNotes
from tests.end_to_end.command_line import wait_until

WAITS = "s3://b: the store is away; trying again for up to 9 s"


@pytest.mark.usefixtures("joined_ray")
def test_the_driver_shows_what_workers_wait_for_while_they_do_and_once(tmp_path: Path) -> None:
    def wait(block: pa.Table) -> pa.Table:
        import logging

        logging.getLogger("laketag").warning(WAITS)
        wait_until((tmp_path / "shown").exists, "the driver has shown it")
        return block

    def show(sentence: str) -> None:
        shown.append(sentence)
        (tmp_path / "shown").touch()

    shown: list[str] = []
    notes = WorkNotes("20260101T000000Z-w")
    dataset = ray.data.from_arrow([pa.table({"number": [number]}) for number in range(2)]).map_batches(
        partial(noting_waits, stage=wait, notes=notes), batch_format="pyarrow", batch_size=None
    )
    show_waits(dataset.context, notes, show)
    with open_blocks(dataset) as blocks:
        assert sum(block.num_rows for block in blocks) == 2
    assert shown == [f"workers wait: {WAITS}"]
    assert notes.list_begun(WAITING) == []

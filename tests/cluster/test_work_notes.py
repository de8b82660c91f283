"""Notes in Ray's control store: they are there until what they note has ended, for every process of the cluster."""

import pytest
import ray

from laketag.pipeline.cluster.work_notes import WorkNotes


@pytest.mark.usefixtures("joined_ray")
def test_what_was_begun_and_not_ended_is_counted_and_names_the_last_worker() -> None:
    notes, others = WorkNotes("20260101T000000Z-a"), WorkNotes("20260101T000000Z-b")
    others.begin("image/x", "fetched")
    for before in range(2):
        notes.begin("image/a b", "decoded", before)
    notes.begin("image/c", "labelled")
    notes.begin("batch/c", "labelled")
    notes.end("image/c")
    begun = notes.read("image/a b")
    assert begun is not None
    assert (begun.times, begun.stage) == (2, "decoded")
    assert begun.worker_id == ray.get_runtime_context().get_worker_id()
    assert (notes.count("image/c"), notes.read("image/c")) == (0, None)
    assert notes.list_begun("image/") == ["a b"]
    notes.clear()
    assert notes.list_begun("") == []
    assert others.list_begun("") == ["image/x"]
    others.clear()

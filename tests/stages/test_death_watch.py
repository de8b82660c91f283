"""A batch is done although processes die of its images, and each image costs a known number of processes."""

from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa
import pytest
from ray.exceptions import RaySystemError

from laketag.pipeline.errors import ClusterError
from laketag.pipeline.images.image_failure import ImageFailure
from laketag.pipeline.stages.death_watch import DeathWatch, Stage, with_failure, work_through
from tests.stages.notes_in_memory import DiedError, NotesInMemory


def rows(names: str) -> pa.Table:
    nulls = pa.nulls(len(names), pa.string())
    return pa.table({"image_id": list(names), "failure": nulls, "failure_detail": nulls})


def work(batch: pa.Table) -> Iterator[pa.Table]:
    """Images with capital names kill; the results come one by one."""
    for row, name in enumerate(batch["image_id"].to_pylist()):
        if name.isupper():
            raise DiedError
        yield batch.slice(row, 1)


STAGE = Stage("decoded", work, with_failure, lambda: None)


def attempt_until_done(batch: pa.Table, watch: DeathWatch, stage: Stage = STAGE) -> tuple[pa.Table, int]:
    """What the last process makes of the batch, and how many died before it."""
    deaths = 0
    while True:
        try:
            return pa.concat_tables(work_through(batch, stage, watch)), deaths
        except DiedError:
            deaths += 1


@pytest.mark.parametrize(
    ("names", "watched", "deaths"),
    [
        ("abc", 1, 0),
        ("aBc", 1, 2),  # the batch, and the image alone
        ("ABC", 1, 4),
        ("aBcD", 2, 5),
        ("A", 2, 2),  # a batch of one is alone at once
    ],
)
def test_rows_that_kill_are_poison_and_the_others_are_done(names: str, watched: int, deaths: int) -> None:
    notes = NotesInMemory("r")
    table, died = attempt_until_done(rows(names), DeathWatch(notes, watched))
    assert table["image_id"].to_pylist() == list(names)
    assert table["failure"].to_pylist() == ["poison" if name.isupper() else None for name in names]
    assert died == deaths
    assert sorted(notes.notes) == sorted(f"image/{name}" for name in names if name.isupper())


def test_an_empty_batch_is_worked_on_as_it_is() -> None:
    watch = DeathWatch(NotesInMemory("r"), 1)
    (table,) = work_through(rows(""), replace(STAGE, work=lambda batch: iter([batch])), watch)
    assert table.num_rows == 0


def test_what_killed_once_is_left_out_of_every_later_batch() -> None:
    watch = DeathWatch(NotesInMemory("r"), 1)
    attempt_until_done(rows("aBc"), watch)
    assert attempt_until_done(rows("B"), watch)[1] == 0


def test_processes_that_die_of_any_picture_end_the_run_and_no_image_is_blamed() -> None:
    def control() -> None:
        raise DiedError

    notes = NotesInMemory("r")
    with pytest.raises(ClusterError, match="die of any picture that is decoded"):
        attempt_until_done(rows("aB"), DeathWatch(notes, 1), replace(STAGE, control=control))
    assert not [note for note in notes.notes if note.startswith("image/")]


def test_too_little_memory_is_an_error_for_which_ray_tries_again() -> None:
    def work(_batch: pa.Table) -> Iterator[pa.Table]:
        raise MemoryError

    watch = DeathWatch(NotesInMemory("r"), 1)
    with pytest.raises(RaySystemError):
        list(work_through(rows("ab"), replace(STAGE, work=work), watch))
    assert attempt_until_done(rows("ab"), watch)[0]["failure"].null_count == 2


def test_a_failure_is_written_into_the_columns_of_failures() -> None:
    table = with_failure(rows("ab"), ImageFailure("poison", "it died"))
    assert table.to_pylist() == [
        {"image_id": name, "failure": "poison", "failure_detail": "it died"} for name in "ab"
    ]

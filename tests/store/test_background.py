"""Work in the background: results in order, errors where they are taken, and no thread that a program waits for."""

import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from laketag.pipeline.store.background import in_background, iterate_in_background, map_in_background


def test_results_come_in_the_order_of_the_items_and_few_are_worked_on_at_once() -> None:
    working, most = 0, 0
    lock, together = threading.Lock(), threading.Barrier(4)

    def work(item: int) -> int:
        nonlocal working, most
        with lock:
            working += 1
            most = max(most, working)
        together.wait(30)
        with lock:
            working -= 1
        return -item

    assert list(map_in_background(work, range(16), 4)) == [-item for item in range(16)]
    assert most == 4
    for number in (0, 1, 5, 100, 3000):
        found = map_in_background(lambda item: -item, range(number), 4)
        assert list(found) == [-item for item in range(number)]


def test_an_error_is_raised_where_the_result_is_taken() -> None:
    def pages() -> Iterator[int]:
        yield 1
        raise ValueError("no more")

    taken = iterate_in_background(pages())
    assert next(taken) == 1
    with pytest.raises(ValueError, match="no more"):
        next(taken)


def test_a_program_ends_while_work_hangs() -> None:
    program = (
        "import threading; from laketag.pipeline.store.background import in_background; "
        "in_background(threading.Event().wait); raise SystemExit(3)"
    )
    assert subprocess.run([sys.executable, "-c", program], timeout=60, check=False).returncode == 3


def test_work_has_begun_when_its_result_is_still_to_come() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def work() -> str:
        begun.set()
        go_on.wait()
        return "done"

    future = in_background(work)
    begun.wait()
    assert not future.done()
    go_on.set()
    assert future.result() == "done"

from threading import Event

import pytest

from laketag.pipeline.store.read_ahead import read_ahead


def test_results_come_in_order_with_their_errors_and_few_are_read_at_once() -> None:
    begun: list[int] = []
    second_is_read = Event()

    def read(number: int) -> float:
        begun.append(number)
        if number == 1:
            second_is_read.set()
        if number == 0:
            assert second_is_read.wait(30)  # so the second is read beside it
        return 1 / (3 - number)

    reads = read_ahead(read, range(6), 2)
    assert [next(reads)[1].result() for _ in range(3)] == [1 / 3, 1 / 2, 1]
    assert max(begun) <= 3
    item, failed = next(reads)
    with pytest.raises(ZeroDivisionError):
        failed.result()
    assert (item, [item for item, _ in reads]) == (3, [4, 5])

"""Work in threads that nobody waits for: after a signal a command ends, whatever a store does not answer."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from typing import TypeVar

A = TypeVar("A")
T = TypeVar("T")


def in_background(work: Callable[[], T]) -> "Future[T]":
    """The result to come of the work, which has begun in a thread of its own.

    A ThreadPoolExecutor would not do: Python waits for its threads before it ends.
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001  # raised where the result is taken
            future.set_exception(error)

    threading.Thread(target=run, name="store", daemon=True).start()
    return future


def map_in_background(function: Callable[[A], T], items: Iterable[A], in_flight: int) -> Iterator[T]:
    """The function's results in the order of the items, of which at most so many are worked on at once."""
    running: deque[Future[T]] = deque()
    for item in items:
        if len(running) == in_flight:
            yield running.popleft().result()
        running.append(in_background(lambda item=item: function(item)))  # type: ignore[misc]  # bound at once
    while running:
        yield running.popleft().result()


def iterate_in_background(pages: Iterator[T]) -> Iterator[T]:
    """The same pages, each of which is waited for in the background."""
    end = object()
    while (page := in_background(lambda: next(pages, end)).result()) is not end:
        yield page  # type: ignore[misc]  # it is not the end

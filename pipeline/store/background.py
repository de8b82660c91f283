"""Work in threads that nobody waits for: after a signal a command ends, whatever a store does not answer."""

import threading
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import TypeVar

LOOK_S = 0.2
"""How long a signal may be waited for."""

ITEMS_PER_THREAD = 256

A = TypeVar("A")
T = TypeVar("T")


def in_background(work: Callable[[], T]) -> "Future[T]":
    """The result to come of the work, which has begun in a thread of its own.

    A ThreadPoolExecutor would not do: Python waits for its threads before it ends.
    """
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()  # it can no longer be cancelled

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001  # raised where the result is taken
            future.set_exception(error)

    threading.Thread(target=run, name="store", daemon=True).start()
    return future


def first_done(futures: Collection["Future[T]"]) -> tuple["set[Future[T]]", "set[Future[T]]"]:
    """Those that are done, at least one, and those that are not.

    In short waits: after ``import polars`` Ctrl-C does not interrupt a wait any more, because its handler of SIGINT makes the
    system go on with it.
    """
    while True:
        done, others = wait(futures, LOOK_S, FIRST_COMPLETED)
        if done:
            return done, others


def result_of(future: "Future[T]") -> T:
    """The future's result, or what a signal raises meanwhile."""
    first_done([future])
    return future.result()


def wait_for(work: Callable[[], T]) -> T:
    """The work's result, or what a signal raises meanwhile; for calls of a library that signals do not interrupt."""
    if threading.current_thread() is threading.main_thread():
        return result_of(in_background(work))
    return work()


def map_in_background(function: Callable[[A], T], items: Sequence[A], in_flight: int) -> Iterator[T]:
    """The function's results in the order of the items, at most ``in_flight`` of which are worked on at a time.

    A thread costs more than a look at a local file, so each takes some items, if there are many.
    """
    size = min(max(len(items) // (4 * in_flight), 1), ITEMS_PER_THREAD)
    running: deque[Future[list[T]]] = deque()
    for start in range(0, len(items), size):
        if len(running) == in_flight:
            yield from result_of(running.popleft())
        share = items[start : start + size]
        running.append(in_background(lambda share=share: [function(item) for item in share]))  # type: ignore[misc]  # bound at once
    while running:
        yield from result_of(running.popleft())


def iterate_in_background(pages: Iterator[T]) -> Iterator[T]:
    """The same pages, each of which is waited for in the background."""
    end = object()
    while (page := result_of(in_background(lambda: next(pages, end)))) is not end:
        yield page  # type: ignore[misc]  # it is not the end

"""Reading many files: the next ones are read while one is worked on."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def read_ahead(
    read: Callable[[Item], Result], items: Iterable[Item], at_once: int
) -> Iterator[tuple[Item, "Future[Result]"]]:
    """Each item with the future of what is read for it, in order; at most ``at_once`` of them are held at a time.

    An error of a read is raised by its future.
    """
    with ThreadPoolExecutor(at_once) as pool:
        begun: deque[tuple[Item, Future[Result]]] = deque()
        for item in items:
            begun.append((item, pool.submit(read, item)))
            if len(begun) == at_once:
                yield begun.popleft()
        while begun:
            yield begun.popleft()

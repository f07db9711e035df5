"""A thread that stays some items ahead of the loop that wants them."""

import queue
import threading
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from typing import TypeVar

Item = TypeVar("Item")


class _End:
    """The last thing that the thread says: nothing more, or what went wrong."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


@contextmanager
def ahead(items: Generator[Item], depth: int) -> Iterator[Iterator[Item]]:
    """Iterate over `items` with at most `depth` of them made in advance.

    An error of theirs is raised where it would have been. Leaving the context ends the thread.
    """
    ready: queue.Queue[Item | _End] = queue.Queue(depth)
    left = threading.Event()

    def put(item: Item | _End) -> bool:
        while not left.is_set():
            try:
                ready.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            with closing(items):
                for item in items:
                    if not put(item):
                        return
            put(_End())
        except BaseException as error:
            put(_End(error))

    def served() -> Iterator[Item]:
        while not isinstance(item := ready.get(), _End):
            yield item
        if item.error:
            raise item.error

    thread = threading.Thread(target=work, name="batches-ahead", daemon=True)
    thread.start()
    try:
        yield served()
    finally:
        left.set()
        thread.join()

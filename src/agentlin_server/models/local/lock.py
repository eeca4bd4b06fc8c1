"""A lock that processes (and threads) share through a file; it's freed when its holder dies."""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_POLL_S: Final = 0.1


@contextmanager
def file_lock(path: Path, *, waiting: Callable[[], None]) -> Generator[None]:
    """Hold the lock of the file at `path`, which is created.

    Args:
        path: The lock's file, in a folder that exists.
        waiting: Called every tenth of a second while another holds the lock; an
            exception from it ends the wait.
    """
    from filelock import FileLock, Timeout  # deferred: only pulls need it

    lock = FileLock(path)
    while True:
        try:
            lock.acquire(blocking=False)
            break
        except Timeout:
            waiting()
            time.sleep(_POLL_S)
    try:
        yield
    finally:
        lock.release()

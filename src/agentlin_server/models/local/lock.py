"""A lock that processes (and threads) share through a file; it's freed when its holder dies."""

import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

_POLL_S: Final = 0.1

if sys.platform == "win32":
    import msvcrt

    def _try_lock(file: BinaryIO) -> bool:
        try:
            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:
    import fcntl

    def _try_lock(file: BinaryIO) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


@contextmanager
def file_lock(path: Path, *, waiting: Callable[[], None]) -> Generator[None]:
    """Hold the lock of the file at `path`, which is created and stays.

    Args:
        path: The lock's file, in a folder that exists.
        waiting: Called every tenth of a second while another holds the lock; an
            exception from it ends the wait.
    """
    with path.open("ab") as file:  # closing the file frees the lock
        while not _try_lock(file):
            waiting()
            time.sleep(_POLL_S)
        yield

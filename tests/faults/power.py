"""The power cut: what SQLite had synced to the disk survives, the rest only by luck.

The server's process copies database and log at each point at which SQLite has synced them
(`Survivors`). After a kill, `cut` puts such a copy in their place: alone, or with a part of
what came after it.

    FULL commit, checkpoint         everything up to it is on the disk
    NORMAL commit after it          in the system's memory: may be lost, from any byte on
"""

import random
import shutil
import struct
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

_HEADER_BYTES: Final = 32
_FRAME_HEADER_BYTES: Final = 24


class Cut(StrEnum):
    """What is left of the bytes that nobody had synced."""

    NOTHING = "nothing"
    A_PART = "a part"
    """They end at any byte, most likely in the middle of a frame."""
    HOLES = "holes"
    """They are all there but for one sector, which reads as zeros."""


@dataclass(frozen=True, slots=True)
class Wal:
    """What a write-ahead log says.

    Attributes:
        salts: They tell one filling of the file from the next.
        end: Where its frames end, in bytes; older bytes may follow.
    """

    salts: bytes
    end: int


def read_wal(path: Path) -> Wal:
    """Look at a log; an absent or empty one has no salts and ends at 0."""
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER_BYTES)
            if len(header) < _HEADER_BYTES:
                return Wal(b"", 0)
            (page_bytes,) = struct.unpack(">I", header[8:12])
            salts = header[16:24]
            end = _HEADER_BYTES
            while file.read(_FRAME_HEADER_BYTES)[8:16] == salts:
                end += _FRAME_HEADER_BYTES + page_bytes
                file.seek(end)
    except FileNotFoundError:
        return Wal(b"", 0)
    return Wal(salts, end)


def wal_of(db: Path) -> Path:
    """Return the path of a database's log."""
    return Path(f"{db}-wal")


class Survivors:
    """Copies of a database, each made when all of it was synced; kept by the server's process."""

    def __init__(self, db: Path, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._db = db
        self._folder = folder
        self._number = max((int(p.name) for p in folder.iterdir() if p.name.isdecimal()), default=0)
        self._noted: Wal | None = None

    def committed(self, *, is_synced: bool) -> None:
        """Take note of a commit; one that wrote nothing has synced nothing."""
        if is_synced and read_wal(wal_of(self._db)) != self._noted:
            self.note()

    def note(self) -> None:
        """Copy the database as it is now, and forget the copy before."""
        new = self._folder / "new"
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir()
        self._noted = read_wal(wal_of(self._db))
        for path in (self._db, wal_of(self._db)):
            if path.exists():
                shutil.copyfile(path, new / path.name)
        self._number += 1
        new.rename(self._folder / str(self._number))
        shutil.rmtree(self._folder / str(self._number - 1), ignore_errors=True)


def cut(db: Path, survivors: Path, how: Cut, rng: random.Random) -> int:
    """Take away what the cut took; the server is dead, and has not begun again.

    Returns:
        How many bytes of log were lost.
    """
    copy = max((p for p in survivors.iterdir() if p.name.isdecimal()), key=lambda p: int(p.name))
    saved = read_wal(copy / wal_of(db).name)
    now = read_wal(wal_of(db))
    # A log that was begun anew holds nothing that was synced, and the database everything else.
    synced = saved.end if saved.salts == now.salts else 0
    with wal_of(db).open("rb") as file:
        log = bytearray(file.read(now.end))
    lost = len(log) - synced
    if how is Cut.NOTHING or lost <= 0:
        log = bytearray((copy / wal_of(db).name).read_bytes()) if saved.end else bytearray()
    elif how is Cut.A_PART:
        del log[synced + rng.randrange(lost) :]
    else:
        hole = synced + rng.randrange(lost)
        log[hole : hole + 512] = bytes(len(log[hole : hole + 512]))
    shutil.copyfile(copy / db.name, db)
    wal_of(db).write_bytes(log)
    Path(f"{db}-shm").unlink(missing_ok=True)
    shutil.rmtree(survivors)
    return max(lost, 0)

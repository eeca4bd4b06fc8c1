"""Sealing: the journal of a task that has ended takes less space, and says what it said.

Delta rows of one generation that follow each other become one compressed row. It has the rev of
the last of them, so a reader whose cursor stands on any of them finds what it lacks in that row,
and on the last of them nothing that it has. State rows keep their revs: `item.done_rev` refers
to them.

A journal is sealed in portions. A reader compresses, then the writer puts the new rows in the
place of the old ones if those are still there: it is held up for one portion at a time, and not
by compression. Between two portions, too, the journal says all that it said.
"""

import logging
import sqlite3
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Final, Protocol, TypeVar

from agentlin_server.domain.ids import TaskPk
from agentlin_server.store.sqlite.rows import PLAIN, ZLIB
from agentlin_server.store.sqlite.statements import load

log = logging.getLogger(__name__)

T = TypeVar("T")

SQL: Final = load("sealing.sql")
PORTION_BYTES_MAX: Final = 256 * 1024
"""Most plain bytes of a portion, so of a sealed row: what a reader unpacks at once."""
PORTION_ROWS_MAX: Final = 1_000
"""Most rows of a portion: what the writer removes at once, some milliseconds of work."""

_DELTAS: Final = 1
_LEVEL: Final = 6  # half the time of 9, at 5 % more bytes


class Perform(Protocol):
    """Runs a function of the connection, in a thread of the store."""

    async def __call__(self, job: Callable[[sqlite3.Connection], T], /) -> T:
        """Return the function's result."""
        ...


class JournalChangedError(Exception):
    """The rows to replace are not there any more: the task was deleted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of the journal, unpacked; `stored_bytes` is what it takes packed."""

    rev: int
    kind: int
    generation: int
    first_seq: int
    last_seq: int
    codec: int
    events: bytes
    facts: bytes | None
    stored_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """A row that takes the place of those from `first_rev` up to its own rev, which are `rows`."""

    first_rev: int
    rev: int
    rows: int
    first_seq: int
    last_seq: int
    codec: int
    events: bytes
    facts: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Portion:
    """What is to change in a part of a journal: the one up to `last_rev`."""

    packed: Sequence[Packed]
    last_rev: int
    is_last: bool


async def seal(read: Perform, write: Perform, *, finished_before: float, limit: int) -> int:
    """Seal the tasks that ended before an instant, the oldest first.

    Args:
        read: Runs a query on a connection that reads.
        write: Runs a job on the one that writes, as a whole or not at all.
        finished_before: The instant, in seconds since the Unix epoch.
        limit: Most tasks to seal.

    Returns:
        How many were sealed.
    """
    values = {"before": finished_before, "limit": limit}
    rows = await read(lambda db: db.execute(SQL["unsealed"], values).fetchall())
    sealed = 0
    for row in rows:
        sealed += await _seal_one(read, write, TaskPk(row["pk"]))
    return sealed


def finished(db: sqlite3.Connection, *, before: float, limit: int) -> Sequence[TaskPk]:
    """Return tasks without parent that ended before an instant, the oldest first."""
    rows = db.execute(SQL["finished"], {"before": before, "limit": limit})
    return [TaskPk(row["pk"]) for row in rows]


async def _seal_one(read: Perform, write: Perform, pk: TaskPk) -> bool:
    after_rev, is_last = 0, False
    try:
        while not is_last:
            portion = await read(partial(next_portion, pk=pk, after_rev=after_rev))
            await write(partial(replace_rows, pk=pk, portion=portion))
            after_rev, is_last = portion.last_rev, portion.is_last
    except JournalChangedError:
        return False
    except zlib.error as exc:
        log.error("the journal of the task row %s is damaged, and left as it is: %s", pk, exc)  # noqa: TRY400 - the traceback would tell nothing
        await write(lambda db: db.execute(SQL["mark_sealed"], {"pk": pk}).rowcount)
        return False
    return True


def next_portion(db: sqlite3.Connection, *, pk: TaskPk, after_rev: int) -> Portion:
    """Return what is to change in the rows after a rev; at least one row is looked at.

    Raises:
        JournalChangedError: there is no such row.
        zlib.error: a row can't be unpacked.
    """
    rows: list[Row] = []
    size, is_last = 0, True
    # A cursor left open would hold the connection at this moment of the database.
    with closing(db.execute(SQL["journal_from"], {"pk": pk, "after_rev": after_rev})) as cursor:
        for found in cursor:
            row = _unpacked(found)
            size += len(row.events) + len(row.facts or b"") + 1
            if rows and (size > PORTION_BYTES_MAX or len(rows) >= PORTION_ROWS_MAX):
                is_last = False
                break
            rows.append(row)
    if not rows:
        raise JournalChangedError
    return Portion(packed=list(_packed(rows)), last_rev=rows[-1].rev, is_last=is_last)


def replace_rows(db: sqlite3.Connection, *, pk: TaskPk, portion: Portion) -> None:
    """Put packed rows in the place of what they were made of; after the last, mark the task.

    Raises:
        JournalChangedError: not all of that is there; the caller undoes what was done.
    """
    for one in portion.packed:
        values = {"pk": pk, "first_rev": one.first_rev, "rev": one.rev}
        dropped = 0
        if one.rows > 1:
            dropped = db.execute(SQL["drop_merged"], values).rowcount
        values |= {"first_seq": one.first_seq, "last_seq": one.last_seq, "codec": one.codec}
        row = values | {"events": one.events, "facts": one.facts}
        changed = db.execute(SQL["pack_row"], row).rowcount
        if dropped + changed != one.rows:
            raise JournalChangedError
    if portion.is_last and db.execute(SQL["mark_sealed"], {"pk": pk}).rowcount != 1:
        raise JournalChangedError


def _unpacked(row: sqlite3.Row) -> Row:
    events: bytes = row["events"]
    facts: bytes | None = row["facts"]
    stored = len(events) + len(facts or b"")
    if row["codec"] == ZLIB:
        events = zlib.decompress(events)
        facts = None if facts is None else zlib.decompress(facts)
    return Row(
        rev=row["rev"],
        kind=row["kind"],
        generation=row["generation"],
        first_seq=row["first_seq"],
        last_seq=row["last_seq"],
        codec=row["codec"],
        events=events,
        facts=facts,
        stored_bytes=stored,
    )


def _packed(rows: Sequence[Row]) -> Iterator[Packed]:
    """Yield what replaces the rows; those that gain nothing are left out."""
    for run, members in groupby(rows, _run):
        together = list(members)
        for group in [together] if run is not None else [[row] for row in together]:
            if (packed := _pack(group)) is not None:
                yield packed


def _run(row: Row) -> int | None:
    """Return what rows that may be merged have in common; None for a row that stays its own."""
    return row.generation if row.kind == _DELTAS and row.facts is None else None


def _pack(group: Sequence[Row]) -> Packed | None:
    first, last = group[0], group[-1]
    events = b"\n".join(row.events for row in group if row.events)
    codec, packed_events, facts = _smallest(events, last.facts)
    size = len(packed_events) + len(facts or b"")
    if len(group) == 1 and size >= last.stored_bytes:
        return None
    return Packed(
        first_rev=first.rev,
        rev=last.rev,
        rows=len(group),
        first_seq=first.first_seq,
        last_seq=last.last_seq,
        codec=codec,
        events=packed_events,
        facts=facts,
    )


def _smallest(events: bytes, facts: bytes | None) -> tuple[int, bytes, bytes | None]:
    """Return codec and stored forms, whichever take less; both have the same codec."""
    packed = zlib.compress(events, _LEVEL)
    packed_facts = None if facts is None else zlib.compress(facts, _LEVEL)
    if len(packed) + len(packed_facts or b"") < len(events) + len(facts or b""):
        return ZLIB, packed, packed_facts
    return PLAIN, events, facts

"""The durable floor: the relay, but each event is numbered and committed before it is sent.

What durability costs at least: SQLite in WAL mode, one thread that does every write, one row
per commit and stream, and one transaction for whatever waited (group commit). Run by uvicorn;
`MOCK_PROVIDER_URL` names the provider, `FLOOR_DATABASE` the file.
"""

import asyncio
import os
import sqlite3
import threading
from itertools import count

from benchmarks.relay_app import END, START, Relay, Send

_SCHEMA = "CREATE TABLE journal(task INTEGER, first_seq INTEGER, last_seq INTEGER, events BLOB)"

Row = tuple[int, int, int, bytes]


class Journal:
    """Commits rows of all streams in one thread, as many per transaction as waited."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._loop = asyncio.get_running_loop()
        self._waiting: list[tuple[Row, asyncio.Future[None]]] = []
        self._lock = threading.Lock()
        self._has_work = threading.Event()
        self._is_closing = False
        self._thread = threading.Thread(target=self._write, name="journal")
        self._thread.start()

    async def append(self, row: Row) -> None:
        """Return once `row` is committed."""
        done = self._loop.create_future()
        with self._lock:
            self._waiting.append((row, done))
        self._has_work.set()
        await done

    def close(self) -> None:
        """Commit what waits and end the thread."""
        self._is_closing = True
        self._has_work.set()
        self._thread.join()

    def _write(self) -> None:
        db = sqlite3.connect(self._path, isolation_level=None)
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL"):
            db.execute(f"PRAGMA {pragma}")
        db.execute(_SCHEMA)
        while not self._is_closing or self._waiting:
            self._has_work.wait()
            self._has_work.clear()
            with self._lock:
                batch, self._waiting = self._waiting, []
            if not batch:
                continue
            db.execute("BEGIN")
            db.executemany("INSERT INTO journal VALUES (?, ?, ?, ?)", [row for row, _ in batch])
            db.execute("COMMIT")
            self._loop.call_soon_threadsafe(_resolve, [done for _, done in batch])
        db.close()


def _resolve(futures: list[asyncio.Future[None]]) -> None:
    for future in futures:
        if not future.done():  # its reader may have gone
            future.set_result(None)


class Floor(Relay):
    """The relay with a journal between the provider and the client."""

    _tasks = count()

    async def start(self) -> None:
        """Open the session and the journal."""
        await super().start()
        self._journal = Journal(os.environ["FLOOR_DATABASE"])

    async def stop(self) -> None:
        """Close the session; commit what waits and close the journal."""
        await super().stop()
        self._journal.close()

    async def relay(self, body: bytes, send: Send) -> None:
        """Ask the provider; number, commit, then send the events that each read holds."""
        task, sequence, rest = next(self._tasks), 0, b""
        async with self._session.post("/v1/chat/completions", data=body) as answer:
            await send(START)
            async for chunk in answer.content.iter_any():
                *events, rest = (rest + chunk).split(b"\n\n")
                if not events:
                    continue
                frames = b"".join(
                    b"id: %d\n%b\n\n" % (number, event)
                    for number, event in enumerate(events, sequence)
                )
                row = (task, sequence, sequence + len(events) - 1, frames)
                sequence += len(events)
                await self._journal.append(row)
                await send({"type": "http.response.body", "body": frames, "more_body": True})
            await send(END)


app = Floor()

"""Journals of many kinds, and how they are sealed in small portions."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager

import pytest

from agentlin_server.domain.ids import TaskPk
from agentlin_server.domain.ports import Store
from agentlin_server.store.sqlite import sealing
from tests.store.rows import Writer, added, done, event, item, started

LONG_AFTER = 2_000.0
"""When every task that `written` made has ended."""
ALL = 2**40
"""More bytes than there are."""

Row = tuple[str, int]
"""How a journal row is written: what is in it, and how many."""


async def written(store: Store, rows: Sequence[Row]) -> TaskPk:
    """Write the journal of a task that ends; items open and end as they come."""
    request = b'{"user_message_content":"%s"}' % (b"Why is that so? " * 20)
    writer = await started(store, request=request)
    for kind, n in rows:
        await _write_row(writer, kind, n)
    await writer.end()
    return writer.pk


async def _write_row(writer: Writer, kind: str, n: int) -> None:
    match kind:
        case "deltas":
            await writer.append_deltas(n, f"msg_{n}")
        case "long":
            await writer.append_deltas(1, f"msg_{n}", text="word " * 100 * n)
        case "facts":
            await writer.append(facts=b'{"n":%d}\n{"m":"%s"}' % (n, b"m" * 50 * n))
        case "added":
            await writer.append(added(writer.seq, f"msg_{n}"))
        case "done":
            await writer.append(done(writer.seq, f"msg_{n}"), items=[item(n, f"msg_{n}")])
        case "claim":
            claimed = await writer.store.claim(writer.pk, owner="w", take_over=True)
            assert claimed is not None
            writer.generation = claimed.task.generation
        case _:
            await writer.append(*[event("task.x", writer.seq + i) for i in range(n)])


async def seal_all(store: Store) -> int:
    return await store.seal(finished_before=LONG_AFTER, limit=1_000)


@contextmanager
def portions_of(size_bytes: int) -> Generator[None]:
    """Make portions of a few rows, too, so that the examples cross their borders."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sealing, "PORTION_BYTES_MAX", size_bytes)
        patch.setattr(sealing, "PORTION_ROWS_MAX", max(3, size_bytes // 100))
        yield

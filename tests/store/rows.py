"""Rows to write, and a writer that keeps count of rev and sequence numbers."""

from collections.abc import Sequence
from itertools import count
from typing import Any

from agentlin_server.domain.ids import SessionId, TaskId, TaskPk, Tenant, UserId
from agentlin_server.domain.ports import Store
from agentlin_server.domain.records import (
    Claimed,
    Commit,
    Created,
    ItemRow,
    NewTask,
    Reservation,
    RolloutRow,
    TaskFilter,
    TaskRow,
)
from agentlin_server.domain.status import TERMINAL, Status

TENANT = Tenant("local")
USER = UserId("user_default")
SPEC = b'{"model":"scripted/m"}'

_ids = count(1)


def new_task(task_id: str | None = None, **changes: Any) -> NewTask:
    """Return a task to create; its session is its own unless `session_id` says otherwise."""
    name = task_id or f"task_{next(_ids)}"
    fields: dict[str, Any] = {
        "tenant": TENANT,
        "id": TaskId(name),
        "user_id": None,
        "fallback_user_id": USER,
        "client_id": None,
        "session_id": SessionId(f"sess_of_{name}"),
        "spec_hash": "hash of the spec",
        "spec": SPEC,
        "request": b'{"user_message_content":"to %s"}' % name.encode(),
        "metadata": None,
        "body_hmac": f"body of {name}",
        "idempotency": key(name),
        "is_repeat": False,
        "at": 1_000.0,
        "owner": "worker_1",
        "may_start": True,
        "waiting_max": 10_000,
        "events_if_started": (
            event("task.created", 0, name),
            event("task.working", 1, name),
            event("task.tools_updated", 2, name),
        ),
        "events_if_queued": (event("task.created", 0, name), event("task.queued", 1, name)),
    }
    return NewTask(**fields | changes)


def key(name: str, route: str = "create", expires_at: float | None = None) -> Reservation:
    """Return an idempotency record."""
    return Reservation(route=route, key=f"hmac of {name}", expires_at=expires_at)


def event(kind: str, seq: int, task_id: str = "t", fields: str = "") -> bytes:
    """Return the line of an event."""
    return f'{{"type":"{kind}","task_id":"{task_id}","sequence_number":{seq}{fields}}}'.encode()


def delta(seq: int, item: str = "msg_1", text: str = "x") -> bytes:
    """Return the line of a delta."""
    fields = f',"item_id":"{item}","agent_step":1,"content_index":0,"delta":"{text}"'
    return event("task.text.delta", seq, fields=fields)


def added(seq: int, item: str = "msg_1") -> bytes:
    """Return the line that adds an item."""
    fields = f',"agent_step":1,"item":{{"type":"message","id":"{item}"}}'
    return event("task.output_item.added", seq, fields=fields)


def done(seq: int, item: str = "msg_1") -> bytes:
    """Return the line that ends an item."""
    fields = f',"agent_step":1,"item":{{"type":"message","id":"{item}","status":"completed"}}'
    return event("task.output_item.done", seq, fields=fields)


def item(ord_: int = 0, name: str = "msg_1", status: str = "completed") -> ItemRow:
    """Return the row of an item."""
    return ItemRow(ord=ord_, id=name, step=1, attempt=1, type="message", status=status)


def rollout(n: int = 0, **changes: Any) -> RolloutRow:
    """Return the row of a model call."""
    fields: dict[str, Any] = {
        "n": n,
        "parent_n": n - 1 if n else None,
        "appended": ["prompt", "user"] if n == 0 else [f"i:msg_{n - 1}"],
        "output": [f"msg_{n}"],
        "purpose": "answer",
        "step": n + 1,
        "attempt": 1,
        "model": "scripted/m",
        "sampling": b'{"temperature":0.5}',
        "tools": None,
        "finish_reason": "stop",
        "usage": b'{"total_tokens":3}',
        "latency_ms": 12,
        "logprobs": None,
    }
    return RolloutRow(**fields | changes)


class Writer:
    """Appends to one task, as the one who holds its claim."""

    def __init__(self, store: Store, pk: TaskPk, *, generation: int, rev: int, seq: int) -> None:
        """Go on after `rev`, with the event `seq`."""
        self.store = store
        self.pk = pk
        self.generation = generation
        self.rev = rev
        self.seq = seq
        self.committed: list[int] = []
        """Revs, in the order in which their `on_commit` was called."""

    @classmethod
    def of(cls, store: Store, created: Created) -> "Writer":
        """Return the writer of a task that was claimed as it was created."""
        assert created.started
        return cls(store, created.task.pk, generation=1, rev=1, seq=3)

    @classmethod
    def of_claim(cls, store: Store, claimed: Claimed) -> "Writer":
        """Return the writer of a task that was claimed."""
        task = claimed.task
        return cls(
            store, task.pk, generation=task.generation, rev=claimed.last_rev, seq=claimed.next_seq
        )

    def commit(self, *lines: bytes, **changes: Any) -> Commit:
        """Return the next commit; nothing moves on."""
        fields: dict[str, Any] = {
            "task_pk": self.pk,
            "after_rev": self.rev,
            "generation": self.generation,
            "first_seq": self.seq,
            "last_seq": self.seq + len(lines) - 1,
            "at": 1_001.0,
            "events": b"\n".join(lines),
        }
        return Commit(**fields | changes)

    async def append(self, *lines: bytes, **changes: Any) -> None:
        """Append events and move on."""
        commit = self.commit(*lines, **changes)
        self.rev, self.seq = commit.after_rev + 1, commit.last_seq + 1
        await self.store.append(
            commit, on_commit=lambda: self.committed.append(commit.after_rev + 1)
        )

    async def append_deltas(self, count_: int = 1, item: str = "msg_1", text: str = "x") -> None:
        """Append a row of deltas."""
        lines = [delta(self.seq + i, item, text) for i in range(count_)]
        await self.append(*lines, is_deltas=True)

    async def change(self, status: Status, **changes: Any) -> None:
        """Append the event of a status that is not final."""
        kind = f"task.{status}".replace("-", "_")
        await self.append(event(kind, self.seq), status=status, **changes)

    async def end(self, status: Status = Status.COMPLETED) -> None:
        """Append the final event."""
        await self.append(event(f"task.{status}", self.seq), status=status, barrier=True)


async def log_of(store: Store, pk: TaskPk) -> list[bytes]:
    """Return all lines of a task's log."""
    segments = await store.read(pk, after_seq=-1, bytes_max=2**40)
    return [line for segment in segments for line in segment.lines]


async def started(store: Store, task_id: str | None = None, **changes: Any) -> Writer:
    """Create a task that starts at once; return its writer."""
    return Writer.of(store, await store.create(new_task(task_id, **changes)))


async def queued(store: Store, task_id: str | None = None, **changes: Any) -> TaskPk:
    """Create a task that waits."""
    return (await store.create(new_task(task_id, may_start=False, **changes))).task.pk


async def begin(store: Store, claimed: Claimed) -> Writer:
    """Begin to work on a task that was claimed."""
    writer = Writer.of_claim(store, claimed)
    await writer.change(Status.WORKING)
    return writer


async def claim_ids(store: Store, limit: int = 9, owner: str = "worker_1") -> list[str]:
    """Claim what waits; return the ids, in order."""
    claims = (await store.claim_next(owner=owner, limit=limit)).claims
    return [claimed.task.id for claimed in claims]


async def begun(store: Store, owner: str = "worker_1") -> Writer:
    """Claim the next task and begin to work on it."""
    (claimed,) = (await store.claim_next(owner=owner, limit=1)).claims
    return await begin(store, claimed)


async def taken_over(store: Store, pk: TaskPk, owner: str = "worker_1") -> Writer:
    """Claim a task from whoever has it."""
    claimed = await store.claim(pk, owner=owner, take_over=True)
    assert claimed is not None
    return Writer.of_claim(store, claimed)


async def row_of(store: Store, pk: TaskPk) -> TaskRow:
    """Return the row of a task that is there."""
    row = await store.get_by_pk(pk)
    assert row is not None
    return row


async def unfinished(store: Store) -> list[TaskPk]:
    """Return the tasks that are not final, oldest first."""
    statuses = [status for status in Status if status not in TERMINAL]
    found = await store.list(TaskFilter(tenant=TENANT, statuses=statuses, limit=100))
    return [task.pk for task in reversed(found)]


async def ids_of(store: Store, pks: Sequence[TaskPk]) -> list[str]:
    """Return the ids of tasks that are there."""
    rows = [await store.get_by_pk(pk) for pk in pks]
    return [row.id for row in rows if row is not None]

"""The records that pass between the engine and the store."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import msgspec

from agentlin_server.domain.ids import SessionId, TaskId, TaskPk, Tenant, UserId
from agentlin_server.domain.status import Status
from agentlin_server.domain.tool import Effect


class OnBusy(StrEnum):
    """What a new task does if its session has unfinished tasks (contract, section 4, Session)."""

    DEFAULT = "default"
    """Queue up, but cancel a task that waits for an answer: the user has moved on."""
    ENQUEUE = "enqueue"
    """Queue up behind all of them."""
    REJECT = "reject"
    """Don't create it."""
    INTERRUPT = "interrupt"
    """Cancel all of them."""


class IntentKind(StrEnum):
    """What a client may want of a task; recorded before it is done."""

    CANCEL = "cancel"
    PAUSE = "pause"
    RESUME = "resume"
    DELETE = "delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One row of the journal: one commit of one task.

    Attributes:
        rev: Number of the commit within the task, from 1.
        generation: Which claim of the task wrote it.
        first_seq: Sequence number of the first event in it.
        last_seq: Of the last; `first_seq - 1` if the row holds facts only.
        lines: The events, each the very JSON that is sent, but without `task` snapshots.
        facts: Private records that have no public event.
    """

    rev: int
    generation: int
    first_seq: int
    last_seq: int
    lines: Sequence[bytes]
    facts: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemRow:
    """An output item that is done; its body is in the journal row `rev` that ended it."""

    ord: int
    id: str
    step: int
    attempt: int
    type: str
    status: str
    call_id: str | None = None
    supersedes: str | None = None
    provider_state: bytes | None = None


class ToolCallState(StrEnum):
    """How far the execution of a tool call is."""

    STARTED = "started"
    DONE = "done"
    INTERRUPTED = "interrupted"
    """It was cut off, and is run again: its effect allows it."""
    UNKNOWN = "unknown"
    """It was cut off, and whether it had its effect is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCallRow:
    """The execution of a tool call: one row per call, the latest state wins."""

    call_id: str
    step: int
    name: str
    effect: Effect
    state: ToolCallState
    idempotency_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutRow:
    """One model call. It refers to its messages, so that a long task stores each of them once.

    Attributes:
        n: Number of the call within the task, from 0.
        parent_n: The call whose context this one extends, None for a fresh context.
        appended: References of the messages that came on top of the parent's; what they mean
            stands in `agent.context`.
        output: Item ids that the call made.
        purpose: `answer`, later also `compression`.
        sampling: JSON of the inference arguments.
        tools: The tools offered, as JSON; None if they were those of the frozen agent.
        usage: JSON of the call's usage.
        latency_ms: From sending the request to the end of the answer.
    """

    n: int
    parent_n: int | None
    appended: Sequence[str]
    output: Sequence[str]
    purpose: str
    step: int
    attempt: int
    model: str
    sampling: bytes
    tools: bytes | None
    finish_reason: str | None
    usage: bytes | None
    latency_ms: int
    logprobs: bytes | None = None


class Commit(msgspec.Struct, frozen=True, kw_only=True):
    """One append to a task's journal, with the row changes that belong to it.

    Attributes:
        after_rev: The journal's last rev, as the writer knows it.
        generation: The writer's claim; a later claim fences this one.
        events: The new events, JSON lines joined by newlines; empty for facts only.
        is_deltas: True if all events are deltas: a fold may skip the row once dones follow.
        status: The task's status after it, None if it stays. Into `queued` the task gives up
            its worker, and can be claimed when it is its turn; into `paused` it only goes if
            that is still wanted.
        rest_max_s: How long the rest may last that begins with the status. A task's own time
            stands still while it rests (contract, section 4, Time).
        attempts: New count of claims without progress, None leaves it.
        barrier: Sync to disk before it counts.
    """

    task_pk: TaskPk
    after_rev: int
    generation: int
    first_seq: int
    last_seq: int
    at: float
    events: bytes
    facts: bytes = b""
    is_deltas: bool = False
    barrier: bool = False
    status: Status | None = None
    rest_max_s: float | None = None
    attempts: int | None = None
    usage: bytes | None = None
    error: bytes | None = None
    items: Sequence[ItemRow] = ()
    tool_calls: Sequence[ToolCallRow] = ()
    rollout: RolloutRow | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskClock:
    """When a task expires (contract, section 4, Time).

    Attributes:
        deadline_at: The instant; None for never. While the task rests, the limit of that state.
        time_left_s: While the task rests: what is left of its own time, which stands still.
            None if it has no limit.
    """

    deadline_at: float | None = None
    time_left_s: float | None = None

    def is_due(self, at: float) -> bool:
        """True if the task has expired by `at`."""
        return self.deadline_at is not None and self.deadline_at <= at


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """One idempotency record: the same key and body give the same task.

    Attributes:
        route: Namespace of the key: `create` (Idempotency-Key) or `retry` (counted retry).
        key: HMAC of the key.
        expires_at: When it may be forgotten; None while the task is kept.
    """

    route: str
    key: str
    expires_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTask:
    """A task to create, with everything that its first transaction writes.

    Attributes:
        spec: JSON of the frozen agent, stored once per tenant under `spec_hash`.
        request: JSON of user message, history and thoughts; the first fact of the journal.
        body_hmac: Of the canonical request, to tell a repeat from a conflict.
        idempotency: Where the create is remembered, so that a repeat finds its task.
        is_repeat: True to look there first; False to make a new task in any case.
        may_start: True if a worker is free: the task is claimed in the same transaction,
            unless its session is busy.
        waiting_max: Most tasks that may wait; if it must wait beyond that, it is refused.
        on_busy: What happens if its session has unfinished tasks.
        deadline_at: When it expires; None for never.
        events_if_started: The first events if it is claimed at once.
        events_if_queued: The first events if it has to wait.
    """

    tenant: Tenant
    id: TaskId
    user_id: UserId | None
    fallback_user_id: UserId
    client_id: str | None
    session_id: SessionId
    spec_hash: str
    spec: bytes
    request: bytes
    metadata: bytes | None
    body_hmac: str
    idempotency: Reservation
    is_repeat: bool
    at: float
    owner: str
    may_start: bool
    waiting_max: int
    on_busy: OnBusy = OnBusy.DEFAULT
    deadline_at: float | None = None
    events_if_started: Sequence[bytes]
    events_if_queued: Sequence[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRow:
    """A task's row, with what its base TaskObject needs. Items and text are in the journal."""

    pk: TaskPk
    tenant: Tenant
    id: TaskId
    user_id: UserId
    client_id: str | None
    session_id: SessionId
    session_pos: int
    parent_id: TaskId | None
    previous_task_id: TaskId | None
    status: Status
    generation: int
    attempts: int
    spec_hash: str
    metadata: bytes | None
    created_at: float
    finished_at: float | None
    body_hmac: str
    cancel_requested: bool = False
    pause_requested: bool = False
    clock: TaskClock = field(default_factory=TaskClock)


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """What `create` did.

    Attributes:
        task: The task.
        is_new: False if an earlier request had made it.
        started: True if it was claimed at once.
        superseded: Tasks of the session whose cancel was recorded with it.
    """

    task: TaskRow
    is_new: bool
    started: bool
    superseded: Sequence[TaskPk] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wake:
    """A line of the outbox: a task that can be claimed, for a dispatcher elsewhere to be told."""

    id: int
    task_pk: TaskPk
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A claim that was granted: who holds it may append with `task.generation`."""

    task: TaskRow
    last_rev: int
    next_seq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRound:
    """What a look for waiting tasks gave.

    Attributes:
        claims: What was claimed.
        waiting: How many tasks still wait, for a worker or for their session.
        has_more: True if some of them could be claimed now: they wait for a worker.
    """

    claims: Sequence[Claimed]
    waiting: int
    has_more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFilter:
    """Which tasks a list wants; all conditions must hold."""

    tenant: Tenant
    session_id: str | None = None
    user_id: str | None = None
    parent_task_id: str | None = None
    statuses: Sequence[Status] = ()
    limit: int = 10
    starting_after: str | None = None
    ending_before: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """Rows that a delete removed: the task and its children, oldest last."""

    pks: Sequence[TaskPk] = field(default_factory=list[TaskPk])

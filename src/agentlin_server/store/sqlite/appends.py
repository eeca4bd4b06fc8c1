"""Appends: one row of the journal, and the rows that change with it."""

import sqlite3
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

import msgspec

from agentlin_server.domain.errors import PauseWithdrawnError, StaleWriterError
from agentlin_server.domain.records import (
    Commit,
    IntentKind,
    ItemRow,
    RolloutRow,
    ToolCallRow,
    ToolCallState,
)
from agentlin_server.domain.status import TERMINAL, Status
from agentlin_server.store.sqlite import intents, turns
from agentlin_server.store.sqlite.rows import pack, to_text
from agentlin_server.store.sqlite.statements import SQL
from agentlin_server.store.sqlite.writer import OneRow

_APPLIED_BY: Final[Mapping[Status, IntentKind]] = {
    Status.PAUSED: IntentKind.PAUSE,
    Status.QUEUED: IntentKind.RESUME,
}


def deltas_row(commit: Commit) -> OneRow:
    """Return the row of a commit of deltas; it is refused if generation or rev are past."""
    values = (
        commit.task_pk,
        commit.after_rev + 1,
        commit.generation,
        commit.first_seq,
        commit.last_seq,
        commit.at,
        commit.events,
    )
    return OneRow(SQL["append_deltas"], values, partial(_stale, commit))


def append_state(db: sqlite3.Connection, commit: Commit) -> None:
    """Write a row of any events and facts, and the rows that change with it."""
    rev = commit.after_rev + 1
    codec, events, facts = pack(commit.events, commit.facts)
    row: dict[str, Any] = {
        "task_pk": commit.task_pk,
        "rev": rev,
        "generation": commit.generation,
        "first_seq": commit.first_seq,
        "last_seq": commit.last_seq,
        "at": commit.at,
        "codec": codec,
        "events": events,
        "facts": facts,
    }
    if db.execute(SQL["append_state"], row).rowcount != 1:
        raise _stale(commit)
    _insert_items(db, commit.task_pk, rev, commit.items)
    _insert_tool_calls(db, commit)
    if commit.rollout is not None:
        _insert_rollout(db, commit.task_pk, commit.rollout)
    values: dict[str, Any] = {
        "task_pk": commit.task_pk,
        "rev": rev,
        "next_seq": commit.last_seq + 1,
        "attempts": commit.attempts,
        "usage": to_text(commit.usage),
        "error": to_text(commit.error),
    }
    if commit.status is None:
        db.execute(SQL["update_task"], values)
    else:
        _change_status(db, commit, commit.status, values)


def _change_status(
    db: sqlite3.Connection, commit: Commit, status: Status, values: dict[str, Any]
) -> None:
    key = {"task_pk": commit.task_pk}
    before = db.execute(SQL["before_change"], key).fetchone()  # a RETURNING would take longer
    if status is Status.PAUSED and not before["pause_requested"]:
        raise PauseWithdrawnError(f"nobody wants task row {commit.task_pk} to pause any more")
    was_paused = before["status"] == Status.PAUSED.value  # and may have been asked to resume
    is_final = status in TERMINAL
    changes: dict[str, Any] = {
        "status": status.value,
        "is_final": is_final,
        "finished_at": commit.at if is_final else None,
        "at": commit.at,
        "rest_max_s": commit.rest_max_s,
    }
    db.execute(SQL["change_status"], values | changes)
    if before["turn"] is not None:  # it was taken over while it waited
        turns.take_turn(db, commit.task_pk)
    if status in _APPLIED_BY:
        intents.settle(db, commit.task_pk, _APPLIED_BY[status])
    if is_final:
        if before["cancel_requested"] or before["pause_requested"] or was_paused:
            intents.settle_at_end(db, commit.task_pk)
        if before["has_secrets"]:
            db.execute(SQL["delete_secrets"], key)
    if is_final or status is Status.QUEUED:
        turns.free_session(db, before["session_pk"], commit.task_pk)


def _stale(commit: Commit) -> StaleWriterError:
    return StaleWriterError(
        f"task row {commit.task_pk}: generation {commit.generation} or rev "
        f"{commit.after_rev} is past"
    )


def _insert_items(db: sqlite3.Connection, pk: int, rev: int, items: Sequence[ItemRow]) -> None:
    for item in items:
        db.execute(
            SQL["insert_item"],
            {
                "task_pk": pk,
                "ord": item.ord,
                "id": item.id,
                "step": item.step,
                "attempt": item.attempt,
                "supersedes": item.supersedes,
                "type": item.type,
                "call_id": item.call_id,
                "status": item.status,
                "provider_state": item.provider_state,
                "done_rev": rev,
            },
        )


def _insert_tool_calls(db: sqlite3.Connection, commit: Commit) -> None:
    for call in commit.tool_calls:
        _insert_tool_call(db, commit, call)


def _insert_tool_call(db: sqlite3.Connection, commit: Commit, call: ToolCallRow) -> None:
    is_started = call.state is ToolCallState.STARTED
    db.execute(
        SQL["insert_tool_call"],
        {
            "task_pk": commit.task_pk,
            "call_id": call.call_id,
            "step": call.step,
            "name": call.name,
            "effect": call.effect.value,
            "state": call.state.value,
            "idem_key": call.idempotency_key,
            "generation": commit.generation,
            "started_at": commit.at if is_started else None,
            "ended_at": None if is_started else commit.at,
        },
    )


def _insert_rollout(db: sqlite3.Connection, pk: int, one: RolloutRow) -> None:
    db.execute(
        SQL["insert_rollout"],
        {
            "task_pk": pk,
            "n": one.n,
            "parent_n": one.parent_n,
            "appended": msgspec.json.encode(one.appended).decode(),
            "output": msgspec.json.encode(one.output).decode(),
            "purpose": one.purpose,
            "step": one.step,
            "attempt": one.attempt,
            "model": one.model,
            "sampling": one.sampling.decode(),
            "tools": to_text(one.tools),
            "logprobs": one.logprobs,
            "finish_reason": one.finish_reason,
            "usage": to_text(one.usage),
            "latency_ms": one.latency_ms,
        },
    )

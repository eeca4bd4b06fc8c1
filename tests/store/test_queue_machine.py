"""The fair queue under whatever may happen to its tasks, in any order."""

import sqlite3
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from agentlin_server.domain.errors import SessionBusyError
from agentlin_server.domain.ids import SessionId, TaskPk, UserId
from agentlin_server.domain.records import Commit, IntentKind, OnBusy
from agentlin_server.domain.status import TERMINAL, Status
from agentlin_server.store.sqlite import appends, claims, creates, deletes, intents, turns
from agentlin_server.store.sqlite.connection import MEMORY, open_writer
from tests.requirements import requirement
from tests.store.database import make_empty
from tests.store.rows import event, new_task

USERS = st.sampled_from([UserId(name) for name in ("ann", "bob", "cat")])
SESSIONS = st.sampled_from([SessionId(f"s{n}") for n in range(4)])
ANY = st.randoms(use_true_random=False)
HOLDING = ("created", "working", "input-required", "paused")


def empty_in_memory() -> sqlite3.Connection:
    """Return an empty database in memory."""
    db = open_writer(MEMORY)
    with tempfile.TemporaryDirectory() as folder:
        source = sqlite3.connect(make_empty(Path(folder) / "empty.db"))
        source.backup(db)
        source.close()
    return db


class Queue(RuleBasedStateMachine):
    """A database and what may happen to it; the rows themselves are the model's state."""

    def __init__(self) -> None:
        super().__init__()
        self.db = empty_in_memory()
        self.owner = "worker_0"
        self.deaths = 0
        self.ahead: dict[TaskPk, Counter[str]] = {}
        """Tasks whose user had nothing else to claim when they joined: who was claimed since."""
        self.line: set[TaskPk] = set()

    def teardown(self) -> None:
        """Whatever happened: every task can be brought to its end, and all sessions are free."""
        self.owner = "worker_last"
        self._adopt()
        while unfinished := self._tasks(*set(Status) - TERMINAL):
            for row in unfinished:
                if row["cancel_requested"]:
                    self._take_over(row["pk"])
                    self._append(row["pk"], Status.CANCELED)
                elif row["status"] in {"input-required", "paused"}:
                    self._take_over(row["pk"])
                    self._append(row["pk"], Status.QUEUED)
            claimed = claims.claim_next(self.db, self.owner, 99).claims
            assert claimed or any(row["cancel_requested"] for row in unfinished), "stuck"
            for claim in claimed:
                self._append(claim.task.pk, Status.WORKING)
                self._append(claim.task.pk, Status.COMPLETED)
        held = self._all("SELECT * FROM session WHERE busy_task_pk IS NOT NULL")
        assert (held, self._all("SELECT * FROM outbox")) == ([], [])
        self.db.close()

    # What may happen

    @initialize(waiting=st.lists(st.tuples(USERS, SESSIONS), min_size=4, max_size=16))
    def some_wait_from_the_start(self, waiting: list[tuple[UserId, SessionId]]) -> None:
        for user, session in waiting:
            self.create(user, session, OnBusy.ENQUEUE, may_start=False)

    @rule(user=USERS, session=SESSIONS, on_busy=st.sampled_from(OnBusy), may_start=st.booleans())
    def create(self, user: UserId, session: SessionId, on_busy: OnBusy, *, may_start: bool) -> None:
        new = new_task(user_id=user, session_id=session, on_busy=on_busy, may_start=may_start)
        unfinished = [r for r in self._tasks(*set(Status) - TERMINAL) if r["session"] == session]
        try:
            created = creates.create(self.db, new)
        except SessionBusyError:
            assert (on_busy, bool(unfinished)) == (OnBusy.REJECT, True)
            return
        assert created.started == (may_start and not unfinished)
        expected = {
            OnBusy.INTERRUPT: [r["pk"] for r in unfinished if not r["cancel_requested"]],
            OnBusy.DEFAULT: [
                r["pk"]
                for r in unfinished
                if r["status"] == "input-required" and not r["cancel_requested"]
            ],
        }
        assert created.superseded == expected.get(on_busy, [])

    @rule(
        limit=st.integers(1, 3),
        course=st.sampled_from(
            [
                (),
                (Status.WORKING,),
                (Status.WORKING, Status.QUEUED),
                (Status.WORKING, Status.COMPLETED),
            ]
        ),
    )
    def claim(self, limit: int, course: Sequence[Status]) -> None:
        line = self._all(
            "SELECT pk, user_id FROM task WHERE turn IS NOT NULL ORDER BY turn, turn_order"
        )
        found = claims.claim_next(self.db, self.owner, limit)
        assert [claim.task.pk for claim in found.claims] == [row["pk"] for row in line[:limit]]
        for claim in found.claims:
            self.ahead.pop(claim.task.pk, None)
            self.line.discard(claim.task.pk)
            for pk, counts in self.ahead.items():
                counts[claim.task.user_id] += 1
                assert counts[claim.task.user_id] <= 1, f"{pk} is kept waiting"
            for status in course:
                self._append(claim.task.pk, status)

    @rule(any_=ANY)
    def begin(self, any_: Any) -> None:
        claimed = [row for row in self._tasks(Status.QUEUED) if row["lease_owner"]]
        if claimed:
            self._append(any_.choice(claimed)["pk"], Status.WORKING)

    @rule(any_=ANY, status=st.sampled_from([*sorted(TERMINAL), "queued", "input-required"]))
    def a_run_stops(self, any_: Any, status: str) -> None:
        if working := self._tasks(Status.WORKING):
            self._append(any_.choice(working)["pk"], Status(status))

    @rule(any_=ANY)
    def a_run_pauses(self, any_: Any) -> None:
        if working := self._tasks(Status.WORKING):
            pk = any_.choice(working)["pk"]
            intents.request(self.db, pk, IntentKind.PAUSE, "ann", 1.0)
            self._append(pk, Status.PAUSED)

    @rule(any_=ANY)
    def a_rest_is_over(self, any_: Any) -> None:
        if resting := self._tasks(Status.PAUSED, Status.INPUT_REQUIRED):
            pk = any_.choice(resting)["pk"]
            self._take_over(pk)
            self._append(pk, Status.QUEUED)

    @rule(any_=ANY, kind=st.sampled_from(IntentKind))
    def request(self, any_: Any, kind: IntentKind) -> None:
        if rows := self._tasks(*Status):
            intents.request(self.db, any_.choice(rows)["pk"], kind, "ann", 1.0)

    @rule()
    def what_is_pending_is_done(self) -> None:
        for pk, kind in intents.pending(self.db):
            taken = self._take_over(pk)
            if kind is IntentKind.RESUME:
                if taken and self._task(pk)["status"] == "paused":
                    self._append(pk, Status.QUEUED)
                continue
            if taken:
                self._append(pk, Status.CANCELED)
            if kind is IntentKind.DELETE:
                deletes.delete(self.db, pk, 1.0)
        assert intents.pending(self.db) == []

    @rule(any_=ANY, expires=st.booleans())
    def a_task_is_taken_over(self, any_: Any, *, expires: bool) -> None:
        """Its deadline was past, or was moved before anything became of it."""
        if rows := self._tasks(Status.QUEUED, Status.PAUSED, Status.INPUT_REQUIRED):
            pk = any_.choice(rows)["pk"]
            self._take_over(pk)
            if expires:
                self._append(pk, Status.EXPIRED)

    @rule(any_=ANY)
    def delete(self, any_: Any) -> None:
        if rows := self._tasks(*Status):
            deletes.delete(self.db, any_.choice(rows)["pk"], 1.0)

    @precondition(lambda self: self.deaths < 3)
    @rule()
    def the_process_dies(self) -> None:
        self.deaths += 1
        self.owner = f"worker_{self.deaths}"
        self._adopt()

    # What always holds

    @invariant()
    def whoever_may_run_has_a_turn_and_a_wake(self) -> None:
        rows = self._tasks(*Status)
        line = [row["pk"] for row in rows if row["turn"] is not None]
        assert [row["pk"] for row in rows if row["turn_order"] is not None] == line
        assert line == self._claimable()
        wakes = self._all("SELECT task_pk FROM outbox ORDER BY task_pk")
        assert [row["task_pk"] for row in wakes] == line

    @invariant()
    def a_session_is_held_by_the_one_task_that_runs_or_rests_in_it(self) -> None:
        for session in self._all("SELECT * FROM session"):
            holders = [
                row["pk"]
                for row in self._tasks(*Status)
                if row["session_pk"] == session["pk"]
                and (row["status"] in HOLDING or (row["status"] == "queued" and row["lease_owner"]))
            ]
            assert holders == ([session["busy_task_pk"]] if session["busy_task_pk"] else [])

    @invariant()
    def nothing_needs_repair(self) -> None:
        assert turns.stuck_sessions(self.db) == []

    @invariant()
    def who_joins_the_queue_is_noted(self) -> None:
        line = self._all("SELECT pk, user_id FROM task WHERE turn IS NOT NULL")
        users = Counter(row["user_id"] for row in line)
        known, self.line = self.line, {row["pk"] for row in line}
        self.ahead = {pk: counts for pk, counts in self.ahead.items() if pk in self.line}
        for row in line:
            if users[row["user_id"]] == 1 and row["pk"] not in known:
                self.ahead[row["pk"]] = Counter()

    # How it is done

    def _claimable(self) -> list[TaskPk]:
        free = {row["pk"] for row in self._all("SELECT * FROM session WHERE busy_task_pk IS NULL")}
        first: dict[int, sqlite3.Row] = {}
        for row in sorted(self._tasks(Status.QUEUED), key=lambda row: row["session_pos"]):
            first.setdefault(row["session_pk"], row)
        return sorted(
            row["pk"]
            for session, row in first.items()
            if session in free and not row["cancel_requested"] and row["lease_owner"] is None
        )

    def _adopt(self) -> None:
        for pk in claims.adopt(self.db, self.owner):
            self._take_over(pk)
            self._append(pk, Status.QUEUED)
        # Suspects go one at a time, see test_turns: here nobody becomes one.
        self.db.execute("UPDATE task SET attempts = 0")

    def _take_over(self, pk: TaskPk) -> bool:
        return claims.claim(self.db, pk, self.owner, take_over=True) is not None

    def _append(self, pk: TaskPk, status: Status) -> None:
        sql = (
            "SELECT t.generation, j.rev, j.last_seq FROM task t JOIN journal j ON j.task_pk = t.pk"
            " WHERE t.pk = ? ORDER BY j.rev DESC LIMIT 1"
        )
        end = self.db.execute(sql, (pk,)).fetchone()
        seq = end["last_seq"] + 1
        line = event(f"task.{status}".replace("-", "_"), seq)
        commit = Commit(
            task_pk=pk,
            after_rev=end["rev"],
            generation=end["generation"],
            first_seq=seq,
            last_seq=seq,
            at=1.0,
            events=line,
            status=status,
            attempts=None if status is Status.WORKING else 0,
        )
        appends.append_state(self.db, commit)

    def _tasks(self, *statuses: Status) -> list[sqlite3.Row]:
        names = ", ".join(f"'{status.value}'" for status in statuses)
        return self._all(
            "SELECT t.*, s.id AS session FROM task t JOIN session s ON s.pk = t.session_pk"
            f" WHERE t.status IN ({names}) ORDER BY t.pk"
        )

    def _task(self, pk: TaskPk) -> sqlite3.Row:
        (row,) = self._all(f"SELECT * FROM task WHERE pk = {pk}")
        return row

    def _all(self, sql: str) -> list[sqlite3.Row]:
        return self.db.execute(sql).fetchall()


@requirement("queue.fair", "session.order")
def test_the_queue_loses_nobody_whatever_happens() -> None:
    run_state_machine_as_test(
        Queue, settings=settings(max_examples=60, stateful_step_count=40, deadline=None)
    )


@requirement("queue.fair")
@given(
    waiting=st.lists(st.tuples(USERS, SESSIONS), min_size=3, max_size=12),
    courses=st.lists(
        st.sampled_from(
            [
                (Status.WORKING,),
                (Status.WORKING, Status.QUEUED),
                (Status.WORKING, Status.COMPLETED),
            ]
        ),
        min_size=3,
        max_size=12,
    ),
)
def test_who_joins_waits_for_one_task_of_each_other_user_at_most(
    waiting: list[tuple[UserId, SessionId]], courses: list[Sequence[Status]]
) -> None:
    queue = Queue()
    queue.some_wait_from_the_start(waiting)
    for course in courses:
        queue.who_joins_the_queue_is_noted()
        queue.claim(1, course)
    queue.teardown()

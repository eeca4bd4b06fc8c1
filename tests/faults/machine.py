"""A Hypothesis state machine that drives a real server process through whatever may happen.

Each example is a world of its own: a database, a server, up to a dozen tasks with their readers.
After each step what clients saw is compared with what other clients saw, after each restart with
the logs. At the end of an example every task is driven to its end, and everything is checked.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, Final

import anyio
from anyio.from_thread import BlockingPortal, start_blocking_portal
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.faults import actions
from tests.faults.drawing import plans
from tests.faults.keeping import kept_if_failed
from tests.faults.power import Cut
from tests.faults.screenplay import Plan
from tests.faults.subject import Subject
from tests.faults.world import World, living_world

STEPS_EACH: Final = 50
"""Steps of one example."""

_NO_HEALTH_CHECKS: Final = (
    HealthCheck.data_too_large,
    HealthCheck.filter_too_much,
    HealthCheck.large_base_example,
    HealthCheck.too_slow,
)
_TASKS_MAX: Final = 12
_KNOWN_S: Final = 1.0
_REST_S: Final = 0.5
_SETTINGS: Final = {"running_max": 4, "seal_after_s": 0.1}

_RACERS: Final = st.sampled_from(
    (
        "again",
        "answer",
        "answer",
        "cancel",
        "cancel",
        "delete",
        "pause",
        "pause",
        "resume",
        "resume",
    )
)

_Action = Callable[[World, Subject], Awaitable[object]]


async def _answer_all(world: World, subject: Subject) -> None:
    await _answer(world, subject, "all")


async def _answer(world: World, subject: Subject, how: str) -> None:
    """Answer a task's calls, rightly or wrongly."""
    reply = await actions.retrieve(world, subject)
    if reply is None or not reply.is_ok:
        return
    pending = {call_id: f"{subject.key}/{call_id}" for call_id in actions.pending(reply.task)}
    granted = dict(subject.granted)
    match how:
        case "all" if pending:
            await actions.answer(world, subject, pending)
        case "first" if pending:
            first = next(iter(pending))
            await actions.answer(world, subject, {first: pending[first]})
        case "again" if granted:
            await actions.answer(world, subject, granted)
        case "otherwise" if granted:
            others = {call_id: f"not {answer}" for call_id, answer in granted.items()}
            await actions.answer(world, subject, others)
        case "unknown":
            await actions.answer_unknown(world, subject)
        case _:
            return


_ACTIONS: Final[Mapping[str, _Action]] = {
    "again": actions.create,
    "answer": _answer_all,
    "cancel": actions.cancel,
    "delete": actions.delete,
    "pause": actions.pause,
    "resume": actions.resume,
    "retrieve": actions.retrieve,
}


@dataclass(slots=True)
class Score:
    """What the examples did.

    Attributes:
        counts: How often each thing happened.
        on_step: Called after each step.
        failure: The first thing that went wrong; nothing is tried after it.
    """

    counts: Counter[str] = field(default_factory=Counter[str])
    on_step: Callable[[], None] = lambda: None
    failure: BaseException | None = None

    def add(self, world: World) -> None:
        """Add up a world that has come to its end."""
        self.counts["examples"] += 1
        self.counts["tasks"] += sum(subject.known.is_set() for subject in world.subjects)
        self.counts["events seen"] += sum(len(one.seen.frames) for one in world.subjects)
        self.counts["readers"] += len(world.readers)
        self.counts["kills"] += world.deaths - world.power_cuts
        self.counts["power cuts"] += world.power_cuts
        self.counts["graceful stops"] += world.stops
        for subject in world.subjects:
            if subject.is_deleted:
                self.counts["tasks deleted"] += 1
            elif subject.seen.final:
                self.counts[f"tasks {subject.seen.final}"] += 1


class Machine(RuleBasedStateMachine):
    """One example; `run_machine` makes a subclass with a portal."""

    portal: ClassVar[BlockingPortal]
    score: ClassVar[Score]

    subjects = Bundle("subjects")

    """The tasks of the example."""

    def __init__(self) -> None:
        super().__init__()
        self._stack = ExitStack()
        self._world: World | None = None
        self._number = 0

    @property
    def world(self) -> World:
        assert self._world is not None
        return self._world

    def do(self, action: Callable[..., Awaitable[Any]], *args: Any) -> Any:
        """Do something in the world's event loop."""
        if self.score.failure is not None:
            raise self.score.failure
        try:
            return self.portal.call(partial(action, *args))
        except Exception as exc:
            self.score.failure = exc
            raise

    def note(self, what: str) -> None:
        """Add a line to the world's story."""
        self.portal.call(self.world.note, f"-- {what}")

    @initialize(
        target=subjects,
        number=st.integers(0, 2**32),
        first=st.lists(plans, min_size=1, max_size=3),
    )
    def begin(self, number: int, first: list[Any]) -> Any:
        if self.score.failure is not None:
            raise self.score.failure
        folder = self._stack.enter_context(kept_if_failed("machine"))
        world = living_world(folder, seed=number, keeps_survivors=True, settings=_SETTINGS)
        self._world = self._stack.enter_context(self.portal.wrap_async_context_manager(world))
        return multiple(*(self._create_new(steps, "stream") for steps in first))

    @precondition(lambda self: self._number < _TASKS_MAX)
    @rule(
        target=subjects,
        steps=plans,
        mode=st.sampled_from(("stream", "stream", "background", "wait")),
        session=st.sampled_from((None, None, "s1", "s2")),
        on_busy=st.sampled_from((None, None, "enqueue", "reject", "interrupt")),
        user=st.sampled_from((None, "u1", "u2")),
        timeout_s=st.sampled_from((None, None, None, None, 0.3, 60)),
        is_named=st.booleans(),
    )
    def create(
        self, steps: Any, mode: str, session: Any, on_busy: Any, user: Any, timeout_s: Any,
        is_named: bool,  # noqa: FBT001 # Hypothesis hands over by name
    ) -> Subject:  # fmt: skip
        return self._create_new(
            steps,
            mode,
            session_id=session,
            on_busy=on_busy if session else None,
            user_id=user,
            timeout_s=timeout_s,
            task_id=f"task_{self._number}" if is_named else None,
        )

    def _create_new(self, steps: Any, mode: str, **params: Any) -> Subject:
        self._number += 1
        subject = actions.new_subject(self.world, Plan(f"t{self._number}", steps), **params)
        self.note(f"create {mode} {subject.body}")
        self.do(self._create, subject, mode)
        return subject

    async def _create(self, subject: Subject, mode: str) -> None:
        world = self.world
        if mode == "stream":
            world.follow(subject, is_creator=True)
        elif mode == "background":
            await actions.create(world, subject)
        else:
            world.spawn(partial(actions.create_and_wait, world, subject))

    @rule(
        subject=subjects,
        action=st.sampled_from(("again", "cancel", "pause", "pause", "resume", "retrieve")),
    )
    def act(self, subject: Subject, action: str) -> None:
        self.note(f"{action} {subject.key}")
        self.do(self._act, subject, action, 0)

    @rule(
        subject=subjects,
        how=st.sampled_from(("all", "all", "first", "first", "again", "otherwise", "unknown")),
    )
    def answer(self, subject: Subject, how: str) -> None:
        async def answer() -> None:
            if await self._is_known(subject):
                await _answer(self.world, subject, how)

        self.note(f"answer {subject.key} {how}")
        self.do(answer)

    @rule(subject=subjects, is_meant=st.sampled_from((False, False, False, True)))
    def delete(self, subject: Subject, is_meant: bool) -> None:  # noqa: FBT001 # by name
        if is_meant:
            self.note(f"delete {subject.key}")
            self.do(self._act, subject, "delete", 0)

    @rule(subject=subjects)
    def watch(self, subject: Subject) -> None:
        async def watch() -> None:
            self.world.follow(subject)

        self.do(watch)

    @rule(
        subject=subjects,
        racers=st.lists(st.tuples(_RACERS, st.integers(0, 20)), min_size=2, max_size=3),
        dies=st.sampled_from(("not", "not", "before", 1, 2, 5)),
    )
    def race(self, subject: Subject, racers: list[tuple[str, int]], dies: str | int) -> None:
        self.note(f"race {subject.key} {racers} dies={dies}")
        self.do(self._race, subject, racers, dies)

    async def _race(self, subject: Subject, racers: list[tuple[str, int]], dies: str | int) -> None:
        if isinstance(dies, int):
            self.world.arm(dies)
        elif dies == "before":
            await self.world.kill()  # they meet a server that is still recovering
        async with anyio.create_task_group() as group:
            for action, delay_ms in racers:
                group.start_soon(self._act, subject, action, delay_ms)

    async def _act(self, subject: Subject, action: str, delay_ms: int) -> None:
        await anyio.sleep(delay_ms / 1000)
        if action == "again" or await self._is_known(subject):
            await _ACTIONS[action](self.world, subject)

    @rule(ms=st.integers(1, 60))
    def let_pass(self, ms: int) -> None:
        self.do(anyio.sleep, ms / 1000)

    @rule(subject=subjects)
    def wait_for_rest(self, subject: Subject) -> None:
        async def wait() -> None:
            with anyio.move_on_after(_REST_S):
                if await self._is_known(subject):
                    await self.world.wait_past(subject, 0)

        self.do(wait)

    @rule()
    def list_tasks(self) -> None:
        self.do(actions.list_all, self.world)

    @rule(
        how=st.sampled_from(("kill", "kill", "arm", "arm", "stop", *Cut)), commits=st.integers(1, 9)
    )
    def end_process(self, how: str | Cut, commits: int) -> None:
        self.note(f"end_process {how} {commits}")
        self.do(self._end_process, how, commits)

    async def _end_process(self, how: str | Cut, commits: int) -> None:
        world = self.world
        if how == "arm":
            world.arm(commits)
            return
        if how == "stop":
            await world.stop()
        else:
            await world.kill(cut=how if isinstance(how, Cut) else None)
        await world.check_logs()

    @invariant()
    def nothing_is_broken(self) -> None:
        if self._world is not None:
            self.score.counts["steps"] += 1
            self.score.on_step()
            self.do(self._check)

    async def _check(self) -> None:
        self.world.check()

    async def _is_known(self, subject: Subject) -> bool:
        with anyio.move_on_after(_KNOWN_S):
            await subject.known.wait()
        return subject.known.is_set()

    def teardown(self) -> None:
        with self._stack:  # it keeps the folder if anything is raised here
            if self._world is not None:
                self.do(self._finish)

    async def _finish(self) -> None:
        world = self.world
        world.arm(0)
        await actions.drive_all(world)
        await world.wait_readers()
        await actions.check_all(world)
        self.score.add(world)


def run_machine(
    *, steps: int, seed_number: int, on_step: Callable[[], None] = lambda: None
) -> Counter[str]:
    """Run the machine for as many steps; the same seed draws the same steps.

    Raises:
        ViolationError: a promise was broken; or a group of errors, of which one is that.
    """
    with start_blocking_portal() as portal:
        score = Score(on_step=on_step)
        machine = type("BoundMachine", (Machine,), {"portal": portal, "score": score})
        try:
            run_state_machine_as_test(
                seed(seed_number)(machine),
                settings=settings(
                    max_examples=max(1, steps // STEPS_EACH),
                    stateful_step_count=STEPS_EACH,
                    phases=[Phase.generate],
                    suppress_health_check=_NO_HEALTH_CHECKS,
                    deadline=None,
                    database=None,
                    derandomize=False,
                    print_blob=False,
                ),
            )
        except Exception:
            # Hypothesis tries again, and wonders that it is not the same: it never is.
            if score.failure is None:
                raise
        if score.failure is not None:
            raise score.failure
        return score.counts

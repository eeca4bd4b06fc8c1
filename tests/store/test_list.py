"""Lists of tasks: filters, and cursors that move neither on a tie nor on a delete."""

from collections.abc import Sequence

import pytest

from agentlin_server.domain.errors import InvalidRequestError
from agentlin_server.domain.ids import SessionId, Tenant, UserId
from agentlin_server.domain.ports import Store
from agentlin_server.domain.records import TaskFilter, TaskRow
from agentlin_server.domain.status import Status
from tests.requirements import requirement
from tests.store.rows import TENANT, new_task, started

pytestmark = pytest.mark.anyio


async def tasks(store: Store, count: int) -> list[str]:
    """Create tasks `l_0`, `l_1`, ... of one instant; return their ids, newest first."""
    made: list[str] = [(await store.create(new_task(f"l_{n}"))).task.id for n in range(count)]
    return made[::-1]


def ids(page: Sequence[TaskRow]) -> list[str]:
    return [task.id for task in page]


@requirement("list.paging")
async def test_the_newest_come_first_ties_by_insertion(store: Store) -> None:
    newest_first = await tasks(store, 5)
    assert ids(await store.list(TaskFilter(tenant=TENANT))) == newest_first
    assert ids(await store.list(TaskFilter(tenant=TENANT, limit=2))) == newest_first[:2]


@requirement("list.paging")
@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8])
async def test_pages_forwards_are_the_whole_list(store: Store, limit: int) -> None:
    newest_first = await tasks(store, 7)
    got: list[str] = []
    while page := ids(
        await store.list(
            TaskFilter(tenant=TENANT, limit=limit, starting_after=got[-1] if got else None)
        )
    ):
        got += page
    assert got == newest_first


@requirement("list.paging")
@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8])
async def test_pages_backwards_are_next_to_the_cursor_and_newest_first(
    store: Store, limit: int
) -> None:
    newest_first = await tasks(store, 7)
    got: list[str] = newest_first[-1:]
    while page := ids(
        await store.list(TaskFilter(tenant=TENANT, limit=limit, ending_before=got[0]))
    ):
        assert len(page) <= limit
        got = page + got
    assert got == newest_first


async def test_between_two_cursors_lies_what_is_between_them(store: Store) -> None:
    newest_first = await tasks(store, 7)
    page = await store.list(
        TaskFilter(tenant=TENANT, starting_after=newest_first[1], ending_before=newest_first[5])
    )
    assert ids(page) == newest_first[2:5]


async def test_conditions_are_joined_by_and(store: Store) -> None:
    session = SessionId("s")
    one = await started(store, "one", session_id=session, user_id=UserId("ann"))
    await one.end()
    await started(store, "two", session_id=session, user_id=UserId("ann"))
    await started(store, "three", user_id=UserId("ann"))
    await started(store, "four")

    async def found(**conditions: object) -> list[str]:
        return ids(await store.list(TaskFilter(tenant=TENANT, **conditions)))  # pyright: ignore[reportArgumentType]

    assert await found(session_id="s") == ["two", "one"]
    assert await found(user_id="ann") == ["three", "two", "one"]
    assert await found(statuses=[Status.COMPLETED]) == ["one"]
    assert await found(statuses=[Status.COMPLETED, Status.WORKING]) == [
        "four", "three", "two", "one",
    ]  # fmt: skip
    assert await found(session_id="s", user_id="ann", statuses=[Status.WORKING]) == ["two"]
    assert await found(user_id="ann", session_id="none") == []
    assert await found(parent_task_id="one") == []
    assert await found(user_id="ann", limit=1, starting_after="two") == ["one"]


async def test_a_cursor_need_not_fit_the_filter(store: Store) -> None:
    for n in range(4):
        await store.create(new_task(f"c_{n}", user_id=UserId(f"user_{n % 2}")))
    page = await store.list(TaskFilter(tenant=TENANT, user_id="user_0", starting_after="c_3"))
    assert ids(page) == ["c_2", "c_0"]


@requirement("list.paging")
@pytest.mark.parametrize("cursor", ["starting_after", "ending_before"])
async def test_an_unknown_cursor_is_refused_by_name(store: Store, cursor: str) -> None:
    await tasks(store, 1)
    await store.create(new_task("theirs", tenant=Tenant("theirs")))
    for unknown in ("nobody", "theirs", ""):
        with pytest.raises(InvalidRequestError) as caught:
            await store.list(TaskFilter(tenant=TENANT, **{cursor: unknown}))  # pyright: ignore[reportArgumentType]
        assert caught.value.problems[0]["loc"] == [cursor]


@requirement("store.tenant")
async def test_a_list_shows_no_task_of_another_tenant(store: Store) -> None:
    await tasks(store, 2)
    await store.create(new_task("theirs", tenant=Tenant("theirs"), session_id=SessionId("s")))
    assert ids(await store.list(TaskFilter(tenant=Tenant("theirs")))) == ["theirs"]
    assert ids(await store.list(TaskFilter(tenant=TENANT, session_id="s"))) == []

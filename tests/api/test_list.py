"""`GET /tasks`: filters, cursors, order."""

from collections.abc import AsyncIterator

import pytest

from agentlin_server.models.script import Answer, Fail, Text
from tests.api.serving import Api, Scripted
from tests.api.test_envelope import checked

pytestmark = pytest.mark.anyio


async def listed(api: Api, query: str = "") -> list[str]:
    envelope = checked(await api.get(f"/v1/tasks{query}"), 200)
    return [task["id"] for task in envelope["result"]]


@pytest.fixture
async def full(scripted: Scripted) -> AsyncIterator[Api]:
    """Twelve tasks, t0 the oldest: by two users, in three sessions, every fourth one failed."""
    answers = [Answer((Fail("request"),) if n % 4 == 0 else (Text("a"),)) for n in range(12)]
    async with scripted(answers) as api:
        for n in range(12):
            user = "ann" if n < 6 else "bob"
            await api.create(task_id=f"t{n}", session_id=f"s{n % 3}", user_id=user)
        yield api


async def test_the_newest_come_first_ten_at_most(full: Api) -> None:
    assert await listed(full) == [f"t{n}" for n in range(11, 1, -1)]
    assert await listed(full, "?limit=100") == [f"t{n}" for n in range(11, -1, -1)]
    assert await listed(full, "?limit=1") == ["t11"]


async def test_an_item_of_the_list_is_the_task(full: Api) -> None:
    envelope = checked(await full.get("/v1/tasks?limit=1"), 200)
    assert envelope["result"] == [await full.task("t11")]


async def test_filters_are_anded(full: Api) -> None:
    assert await listed(full, "?session_id=s1") == ["t10", "t7", "t4", "t1"]
    assert await listed(full, "?user_id=ann&limit=3") == ["t5", "t4", "t3"]
    assert await listed(full, "?status=failed") == ["t8", "t4", "t0"]
    assert await listed(full, "?status[]=failed&user_id=ann") == ["t4", "t0"]
    assert await listed(full, "?session_id=s1&user_id=ann&status=failed") == ["t4"]
    assert await listed(full, "?session_id=none") == []
    assert await listed(full, "?parent_task_id=t1") == []


@pytest.mark.parametrize("name", ["status", "status[]", "status%5B%5D"])
async def test_a_repeated_status_means_any_of_them(full: Api, name: str) -> None:
    query = f"?{name}=failed&{name}=canceled&limit=100"
    assert await listed(full, query) == ["t8", "t4", "t0"]
    query = f"?{name}=failed&{name}=completed&limit=100"
    assert len(await listed(full, query)) == 12


async def test_cursors_are_exclusive(full: Api) -> None:
    assert await listed(full, "?starting_after=t9&limit=3") == ["t8", "t7", "t6"]
    assert await listed(full, "?starting_after=t0") == []
    assert await listed(full, "?ending_before=t11") == []
    assert await listed(full, "?ending_before=t3&limit=3") == ["t6", "t5", "t4"]
    assert await listed(full, "?starting_after=t9&ending_before=t5") == ["t8", "t7", "t6"]
    assert await listed(full, "?starting_after=t9&user_id=ann&limit=2") == ["t5", "t4"]


async def test_pages_meet_without_gap_or_overlap(full: Api) -> None:
    seen = await listed(full, "?limit=5")
    while page := await listed(full, f"?limit=5&starting_after={seen[-1]}"):
        seen += page
    assert seen == await listed(full, "?limit=100")
    back = ["t0"]
    while page := await listed(full, f"?limit=5&ending_before={back[0]}"):
        back = page + back
    assert back == seen


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=-1", "limit"),
        ("limit=x", "limit"),
        ("limit=", "limit"),
        ("limit=1.5", "limit"),
        (f"limit={'9' * 5000}", "limit"),
        ("status=sleeping", "status"),
        ("status[]=failed&status[]=FAILED", "status"),
        ("status=", "status"),
        ("starting_after=none", "starting_after"),
        ("ending_before=none", "ending_before"),
        ("starting_after=", "starting_after"),
        ("starting_after=%00%ff%27", "starting_after"),
    ],
)
async def test_a_bad_query_is_422(api: Api, query: str, field: str) -> None:
    error = checked(await api.get(f"/v1/tasks?{query}"), 422)["error"]
    assert error["code"] == -32602
    assert error["data"][0]["loc"] == [field]


@pytest.mark.parametrize("value", ["%00", "%ff", "' OR 1=1 --", "a" * 5000, "%E2%80%A8"])
async def test_a_strange_filter_finds_nothing(api: Api, value: str) -> None:
    await api.create()
    for name in ("session_id", "user_id", "parent_task_id"):
        assert await listed(api, f"?{name}={value}") == []
    assert (await api.get(f"/v1/tasks/{value}")).status_code == 404

"""Pages of a log are read once for all who want them at the same time."""

import anyio
import pytest

from agentlin_server.engine.pages import SharedReads
from agentlin_server.models.script import Answer, Text
from tests.engine.harness import scripted, serving
from tests.engine.test_follow import Counting
from tests.requirements import requirement

pytestmark = pytest.mark.anyio

WAIT_S = 10


class Page(bytearray):
    """Something that can be shared."""


class Disk:
    """Where pages are read from; a read waits for the gate."""

    def __init__(self, page: Page | None = None) -> None:
        self.page = Page(b"page") if page is None else page
        self.reads = 0
        self.gate = anyio.Event()

    async def read(self) -> Page:
        self.reads += 1
        page = Page(self.page)
        await self.gate.wait()
        return page


async def test_a_page_that_many_ask_for_at_once_is_read_once() -> None:
    pages, disk = SharedReads[str, Page](), Disk()
    got: list[Page] = []

    async def get() -> None:
        got.append(await pages.get("a", disk.read))

    with anyio.fail_after(WAIT_S):
        async with anyio.create_task_group() as group:
            for _ in range(100):
                group.start_soon(get)
            await anyio.wait_all_tasks_blocked()
            disk.gate.set()
        assert all(one is got[0] for one in got)
        assert await pages.get("a", disk.read) is got[0]
        assert disk.reads == 1
        assert await pages.get("b", disk.read) is not got[0]
        assert disk.reads == 2


async def test_others_read_for_themselves_if_the_first_one_goes() -> None:
    pages, disk = SharedReads[str, Page](), Disk()
    got: list[Page] = []
    scope = anyio.CancelScope()

    async def get() -> None:
        got.append(await pages.get("a", disk.read))

    async def get_and_go() -> None:
        with scope:
            await get()

    with anyio.fail_after(WAIT_S):
        async with anyio.create_task_group() as group:
            group.start_soon(get_and_go)
            await anyio.wait_all_tasks_blocked()
            group.start_soon(get)
            group.start_soon(get)
            await anyio.wait_all_tasks_blocked()
            scope.cancel()
            await anyio.wait_all_tasks_blocked()
            disk.gate.set()
    assert got == [disk.page] * 2
    assert disk.reads == 2
    got.clear()
    assert len(pages) == 0


async def test_a_page_is_shared_while_someone_holds_it_and_no_longer() -> None:
    pages, disk = SharedReads[str, Page](), Disk()
    disk.gate.set()
    page = await pages.get("a", disk.read)
    assert await pages.get("a", disk.read) is page
    assert (disk.reads, len(pages)) == (1, 1)
    del page
    assert len(pages) == 0
    await pages.get("a", disk.read)
    assert disk.reads == 2


async def test_an_empty_page_is_not_shared_for_it_may_be_out_of_date() -> None:
    pages, disk = SharedReads[str, Page](), Disk(page=Page())
    got: list[Page] = []

    async def get() -> None:
        got.append(await pages.get("a", disk.read))

    with anyio.fail_after(WAIT_S):
        async with anyio.create_task_group() as group:
            group.start_soon(get)
            group.start_soon(get)
            await anyio.wait_all_tasks_blocked()
            disk.gate.set()
            disk.page = Page(b"more")
    assert disk.reads == 2
    assert got[-1] == b"more"
    assert await pages.get("a", disk.read) == b"more"


@requirement("events.slow-reader", "events.same-bytes")
async def test_late_readers_of_a_long_log_share_what_is_read_and_leave_nothing_behind() -> None:
    made: list[Counting] = []

    def wrap(store: object) -> Counting:
        made.append(Counting(store))  # pyright: ignore[reportArgumentType]
        return made[0]

    model = scripted([Answer([Text("word " * 5_000, "words")])])
    async with serving(model, wrap=wrap) as service:  # pyright: ignore[reportArgumentType]
        task = await service.submit()
        alone: list[bytes] = []
        got: list[list[bytes]] = [[] for _ in range(100)]

        async def follow(lines: list[bytes]) -> None:
            async for batch in service.reader.follow(
                task.pk, after_seq=-1, until_final=True, idle_s=WAIT_S
            ):
                lines += [line for segment in batch for line in segment.lines]

        with anyio.fail_after(WAIT_S):
            await service.ended(task)
            made[0].reads = 0
            await follow(alone)
            reads_alone = made[0].reads
            assert reads_alone > 5
            async with anyio.create_task_group() as group:
                for one in got:
                    group.start_soon(follow, one)
        assert made[0].reads < 4 * reads_alone
        assert got == [alone] * 100
        assert service.hub.size == 0
        assert len(service.reader._pages) + len(service.reader._segments) == 0

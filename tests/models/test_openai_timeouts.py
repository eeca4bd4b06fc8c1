"""The OpenAI-compatible adapter against a real HTTP server: every wait has its limit."""

import socket

import aiohttp
import anyio
import anyio.lowlevel
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from agentlin_server.domain import errors as e
from agentlin_server.domain.model import (
    Finish,
    TextDelta,
)
from agentlin_server.models.openai import RetryPolicy
from agentlin_server.models.timeouts import ModelTimeouts
from tests.models.drive import (
    END,
    HI,
    REQUEST,
    Make,
    Pauses,
    chunks_of,
    failing_after_hi,
)
from tests.models.mock_provider import (
    SSE_HEAD,
    Act,
    MockProvider,
    delta,
)

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "steps",
    [
        (Act.HOLD,),
        (SSE_HEAD, Act.HOLD),
        (SSE_HEAD + b": ping\n\n" + delta(role="assistant"), Act.HOLD),
    ],
    ids=["no headers", "no bytes", "no token"],
)
async def test_the_first_token_must_come_in_time(
    provider: MockProvider, steps: tuple[bytes | Act, ...], make: Make
) -> None:
    model = make(provider.base_url, timeouts=ModelTimeouts(first_token_s=0.05))
    provider.will_answer(*steps)
    with pytest.raises(e.ModelTimeoutError, match=r"acme did not begin to answer within 0.05 s\."):
        await chunks_of(model)
    with anyio.fail_after(5):
        await provider.hung_up.wait()


async def test_the_next_token_must_come_in_time(provider: MockProvider, make: Make) -> None:
    model = make(provider.base_url, timeouts=ModelTimeouts(idle_s=0.05))
    provider.will_answer(SSE_HEAD + HI, Act.HOLD)
    error = await failing_after_hi(model)
    assert type(error) is e.ModelTimeoutError
    assert "nothing came for 0.05 s" in str(error)


async def test_comments_do_not_count_as_tokens(provider: MockProvider, make: Make) -> None:
    model = make(provider.base_url, timeouts=ModelTimeouts(idle_s=0.05))
    pings = [b": ping\n\n"] * 3
    provider.will_answer(SSE_HEAD + HI, *pings, Act.HOLD)
    assert type(await failing_after_hi(model)) is e.ModelTimeoutError


async def test_the_time_that_the_reader_takes_does_not_count(
    provider: MockProvider, make: Make
) -> None:
    model = make(provider.base_url, timeouts=ModelTimeouts(idle_s=0.3))
    gate = anyio.Event()
    provider.will_answer(SSE_HEAD + HI, gate, END, Act.CLOSE)
    with anyio.fail_after(5):
        async with model.stream(REQUEST) as batches:
            assert await anext(batches) == [TextDelta("Hi")]
            await anyio.sleep(0.4)  # the reader is slow: that is what is tested
            gate.set()
            assert await anext(batches) == [Finish("stop")]


async def test_a_finished_answer_that_hangs_is_whole(provider: MockProvider, make: Make) -> None:
    model = make(provider.base_url, timeouts=ModelTimeouts(idle_s=0.05))
    provider.will_answer(SSE_HEAD + HI + delta("stop"), Act.HOLD)
    assert await chunks_of(model) == [TextDelta("Hi"), Finish("stop")]


class FakeResolver(AbstractResolver):
    """Finds no host, or never comes back."""

    def __init__(self, *, hangs: bool) -> None:
        self._hangs = hangs

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        if self._hangs:
            await anyio.sleep_forever()
        raise OSError("no such host")

    async def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("hangs", "kind", "message"),
    [
        (
            True,
            e.ModelTimeoutError,
            r"acme at http://host\.invalid/v1: no connection within 0\.05 s\.",
        ),
        (
            False,
            e.ModelUnavailableError,
            r"the host name can't be resolved\. Is the base URL right\?",
        ),
    ],
    ids=["hangs", "is unknown"],
)
async def test_a_host_must_be_found_in_time(
    make: Make, pauses: Pauses, hangs: object, kind: type[e.ModelError], message: str
) -> None:
    def session() -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=FakeResolver(hangs=bool(hangs))),
            timeout=aiohttp.ClientTimeout(connect=0.05),
        )

    model = make(
        "http://host.invalid/v1",
        timeouts=ModelTimeouts(connect_s=0.05),
        retries=RetryPolicy(sleep=pauses.sleep),
        session_factory=session,
    )
    with pytest.raises(kind, match=message):
        await chunks_of(model)
    assert len(pauses) == (0 if hangs else 2)


@pytest.mark.parametrize("name", ["connect_s", "first_token_s", "idle_s"])
def test_a_limit_of_nothing_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be > 0"):
        ModelTimeouts(**{name: 0.0})

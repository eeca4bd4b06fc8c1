"""The embedded model at work: real weights, a real engine in a real child process."""

import os
import signal
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace

import anyio
import anyio.to_thread
import httpx
import psutil
import pytest

from agentlin_server.domain.errors import (
    ContextLengthError,
    ModelStreamError,
    ModelUnavailableError,
)
from agentlin_server.domain.model import Chunk, Finish, ModelRequest, TextDelta, Usage
from agentlin_server.models.local import EngineOptions, LocalModel, LocalWeights
from agentlin_server.models.local import model as model_module
from tests.local.conftest import python

pytestmark = [pytest.mark.anyio, pytest.mark.local_model]

TIPS = ModelRequest(
    model="smollm2",
    messages=[{"role": "user", "content": "Give me three tips for better sleep."}],
    sampling={"temperature": 0, "seed": 1},
    output_tokens_max=24,
)
ENDLESS = replace(
    TIPS, sampling={"temperature": 0, "logit_bias": [[2, False]]}, output_tokens_max=1000
)


class Connections:
    """Makes the usual clients and remembers what for."""

    def __init__(self) -> None:
        self.made: list[tuple[str, str]] = []

    def __call__(self, base_url: str, api_key: str) -> model_module.ModelClient:
        self.made.append((base_url, api_key))
        return model_module._connect(base_url, api_key)


@pytest.fixture
def connections() -> Connections:
    return Connections()


@pytest.fixture
async def local(smollm2: LocalWeights, connections: Connections) -> AsyncGenerator[LocalModel]:
    options = EngineOptions(n_ctx=1024)
    model = LocalModel(cache_dir=smollm2.path.parent, options=options, connect=connections)
    yield model
    with anyio.fail_after(10):
        await model.aclose()


async def answer(
    model: LocalModel,
    request: ModelRequest = TIPS,
    *,
    at_each: Callable[[], None] = lambda: None,
) -> list[Chunk]:
    chunks: list[Chunk] = []
    with anyio.fail_after(60):
        async with model.stream(request) as batches:
            async for batch in batches:
                chunks += batch
                at_each()
    return chunks


def text_of(chunks: list[Chunk]) -> str:
    return "".join(chunk.text for chunk in chunks if isinstance(chunk, TextDelta))


async def wait_gone(pid: int) -> None:
    """Wait until the process has ended; it may stay a zombie where nobody reaps orphans."""
    with anyio.fail_after(10):
        while _is_there(pid):  # noqa: ASYNC110 - nothing tells of the end of another's child
            await anyio.sleep(0.01)


def _is_there(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def test_it_streams_a_sensible_answer_token_by_token_and_the_same_one_again(
    local: LocalModel,
) -> None:
    chunks = await answer(local)
    deltas = [chunk for chunk in chunks if isinstance(chunk, TextDelta)]
    assert len(deltas) >= 20
    assert "caffeine" in text_of(chunks).lower()
    usage = next(chunk for chunk in chunks if isinstance(chunk, Usage))
    assert (usage.input_tokens, usage.output_tokens) == (38, 24)
    assert chunks[-1] == Finish(reason="length")
    assert text_of(await answer(local)) == text_of(chunks)


async def test_log_probabilities_are_those_of_the_tokens(local: LocalModel) -> None:
    sampling = {"temperature": 0, "logprobs": True, "top_logprobs": 2}
    chunks = await answer(local, replace(TIPS, sampling=sampling, output_tokens_max=5))
    deltas = [chunk for chunk in chunks if isinstance(chunk, TextDelta)]
    tokens = [logprob["token"] for delta in deltas for logprob in delta.logprobs]
    assert "".join(tokens) == text_of(chunks)
    assert all(len(logprob["top_logprobs"]) == 2 for logprob in deltas[0].logprobs)


async def test_an_answer_without_a_limit_ends_at_the_engines(smollm2: LocalWeights) -> None:
    options = EngineOptions(n_ctx=512, output_tokens_max=7)
    model = LocalModel(cache_dir=smollm2.path.parent, options=options)
    try:
        chunks = await answer(model, replace(TIPS, output_tokens_max=None))
    finally:
        await model.aclose()
    assert [chunk.output_tokens for chunk in chunks if isinstance(chunk, Usage)] == [7]


async def test_a_context_that_is_too_long_is_a_clear_error(local: LocalModel) -> None:
    with pytest.raises(ContextLengthError):
        await answer(local, replace(TIPS, messages=[{"role": "user", "content": "word " * 2000}]))


async def test_the_first_users_share_one_start(local: LocalModel, connections: Connections) -> None:
    async with anyio.create_task_group() as users:
        for _ in range(4):
            users.start_soon(answer, local)
    assert len(connections.made) == 1


async def test_the_child_serves_this_machine_and_this_key_only_and_knows_no_secrets(
    local: LocalModel, connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    pid = await local.start("smollm2")
    base_url, api_key = connections.made[0]
    child = psutil.Process(pid)
    assert api_key not in " ".join(child.cmdline())
    environment = child.environ()
    assert environment["OMP_WAIT_POLICY"] == "passive"
    assert not {"sk-secret", api_key} & set(environment.values())
    listening = [each for each in child.net_connections() if each.status == psutil.CONN_LISTEN]
    assert {each.laddr.ip for each in listening} == {"127.0.0.1"}
    async with httpx.AsyncClient(trust_env=False) as http:
        asked = {"messages": [{"role": "user", "content": "hi"}]}
        refused = await http.post(f"{base_url}/chat/completions", json=asked)
        assert refused.status_code == 401


async def test_a_killed_child_fails_the_call_and_the_next_call_starts_another(
    local: LocalModel, connections: Connections
) -> None:
    pid = await local.start("smollm2")
    with anyio.fail_after(60):
        with pytest.raises(ModelStreamError, match="ended by SIGKILL") as caught:
            await answer(local, ENDLESS, at_each=lambda: os.kill(pid, signal.SIGKILL))
        assert caught.value.retryable
        assert text_of(await answer(local))
        assert await local.start("smollm2") != pid
    assert len(connections.made) == 2


async def test_a_child_that_died_between_calls_is_replaced(local: LocalModel) -> None:
    os.kill(await local.start("smollm2"), signal.SIGKILL)
    running = local._engines["smollm2"]._current
    assert running is not None
    assert await running.child.has_ended_within(10)
    assert text_of(await answer(local))


async def test_leaving_a_call_frees_the_engine_at_once(local: LocalModel) -> None:
    async with local.stream(ENDLESS) as batches:
        async for _ in batches:
            break
    with anyio.fail_after(20):
        await answer(local)


async def test_closing_ends_the_child_and_the_calls(local: LocalModel) -> None:
    pid = await local.start("smollm2")
    begun = anyio.Event()

    async def user() -> None:
        with pytest.raises(ModelUnavailableError, match="has been shut down"):
            await answer(local, ENDLESS, at_each=begun.set)

    with anyio.fail_after(20):
        async with anyio.create_task_group() as users:
            users.start_soon(user)
            await begun.wait()
            await local.aclose()
    await wait_gone(pid)
    with pytest.raises(ModelUnavailableError, match="has been shut down"):
        await answer(local)


async def test_closing_ends_a_start_under_way(smollm2: LocalWeights) -> None:
    model = LocalModel(cache_dir=smollm2.path.parent)

    async def first_user() -> None:
        with pytest.raises(ModelUnavailableError, match="has been shut down"):
            await answer(model)

    pids: list[int] = []
    async with anyio.create_task_group() as users:
        users.start_soon(first_user)
        pids += await wait_children()
        await model.aclose()
    await wait_gone(pids[0])


async def test_a_cancelled_start_leaves_no_process_and_the_next_user_starts_anew(
    local: LocalModel,
) -> None:
    pids: list[int] = []
    async with anyio.create_task_group() as users:
        users.start_soon(answer, local)
        pids += await wait_children()
        users.cancel_scope.cancel()
    await wait_gone(pids[0])
    assert text_of(await answer(local))


async def wait_children() -> list[int]:
    """Wait until this process has started a child of ours; return the ids of all."""
    with anyio.fail_after(10):
        while not (pids := _children()):  # noqa: ASYNC110 - starting it is not for us to see
            await anyio.sleep(0.005)
    return pids


def _children() -> list[int]:
    ours = psutil.Process().children()
    return [each.pid for each in ours if "agentlin_server.models.local.child" in each.cmdline()]


PARENT = """
import sys, anyio
from pathlib import Path
from agentlin_server.models.local import LocalModel

async def main():
    model = LocalModel(cache_dir=Path(sys.argv[1]))
    print(await model.start("smollm2"), flush=True)
    await anyio.sleep_forever()

anyio.run(main)
"""


async def test_no_child_outlives_a_killed_parent(smollm2: LocalWeights) -> None:
    with python(PARENT, str(smollm2.path.parent)) as parent:
        assert parent.stdout is not None
        with anyio.fail_after(30):
            pid = int(await anyio.to_thread.run_sync(parent.stdout.readline))
        assert psutil.pid_exists(pid)
        parent.kill()
    await wait_gone(pid)

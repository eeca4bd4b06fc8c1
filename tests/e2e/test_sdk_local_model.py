"""Our client and a real model: a conversation with a tool on offer, from the first token on."""

import anyio
import anyio.to_thread
import pytest

from agentlin_client import AsyncClient, Client
from agentlin_client.lib import final_text
from agentlin_server.models.local import pull
from tests.e2e.conftest import Serve
from tests.sdk.conftest import KEY

pytestmark = [pytest.mark.anyio, pytest.mark.local_model, pytest.mark.slow]

QUESTION = "Rewrite in plain words: The committee resolved to defer its decision."


async def test_a_real_model_is_streamed_by_both_clients(serve: Serve) -> None:
    await anyio.to_thread.run_sync(pull)
    config = {"model": "local/smollm2", "max_response_length": 24}
    given = {
        "user_message_content": QUESTION,
        "inference_args": {"temperature": 0},
        "agent_config": config,
    }
    with anyio.fail_after(120), serve(model="local/smollm2", local_context_tokens=512) as server:
        base_url = f"{server.address}/v1"
        async with AsyncClient(api_key=KEY, base_url=base_url) as client:
            async with client.tasks.stream(**given) as stream:
                deltas = [delta async for delta in stream.text_deltas]
            text = await stream.final_text
            run = await client.tasks.run(**given)
        with Client(api_key=KEY, base_url=base_url) as blocking:
            task = blocking.tasks.create(stream=False, **given).unwrap()
    assert len(deltas) > 3
    assert "committee" in text
    assert "".join(deltas) == text == run.final_text == final_text(task)
    assert run.task.usage is not None
    assert run.task.usage["model_calls"] == 1

"""The main path on the real model: a question, streamed token by token, still there later."""

import anyio
import anyio.to_thread
import httpx
import pytest

from agentlin_server.models.local import pull
from tests.api.frames import CheckedStream
from tests.e2e.conftest import Serve

pytestmark = [pytest.mark.anyio, pytest.mark.local_model, pytest.mark.slow]

BODY = {
    "user_message_content": "Rewrite in plain words: The committee resolved to defer its decision.",
    "stream": True,
    "task_id": "t",
    "inference_args": {"temperature": 0},
    "agent_config": {"model": "local/smollm2", "max_response_length": 24},
}


async def test_a_real_model_answers_token_by_token_and_the_answer_is_kept(serve: Serve) -> None:
    await anyio.to_thread.run_sync(pull)
    stream = CheckedStream()
    with anyio.fail_after(120):
        with serve(model="local/smollm2", local_context_tokens=512) as server:
            async with (
                httpx.AsyncClient(base_url=server.address, timeout=60) as client,
                client.stream("POST", "/v1/tasks", json=BODY) as answer,
            ):
                async for data in answer.aiter_raw():
                    stream.feed(data)
            last = stream.close()[-1]
            assert last.type == "task.completed", last.event
            server.ask_to_stop()
            assert server.wait_stopped()[0] == 0
        task = last.event["task"]
        assert "committee" in stream.text
        assert task["output"][0]["message_content"][0]["text"] == stream.text
        deltas = [e for e in stream.events if e["type"] == "task.text.delta"]
        assert len(deltas) > 3
        usage = task["usage"]
        assert usage["model_calls"] == 1
        assert 0 < usage["output_tokens"] <= 24
        assert not usage["estimated"]
        with serve(model="local/smollm2") as server:
            async with httpx.AsyncClient(base_url=server.address) as client:
                assert (await client.get("/v1/tasks/t")).json()["result"] == task

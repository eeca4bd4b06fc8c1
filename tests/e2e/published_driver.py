"""Runs under a published client, in its own environment: does what it is told, prints JSON.

`python published_driver.py BASE_URL`. It must work with Python 3.11 and that client alone.
"""

import asyncio
import json
import sys
from typing import Any

import agentlin_client
from agentlin_client import AsyncClient, Client  # not ours: the published one


def _plain(value: Any) -> Any:
    return value.to_dict() if hasattr(value, "to_dict") else value


def _drive(client: Client) -> dict[str, Any]:
    tasks: Any = client.tasks
    answers: dict[str, Any] = {"version": agentlin_client.__version__}
    created = tasks.create(stream=False, user_message_content="quick", task_id="quick")
    answers["created"] = created
    answers["typed"] = [type(created).__name__, type(created.result).__name__]
    answers["content_list"] = tasks.create(
        stream=False, user_message_content=[{"type": "text", "text": "quick"}]
    )
    # The server takes twice as long as this client waits for a sign of life.
    answers["slow"] = tasks.create(stream=False, user_message_content="slow", task_id="slow")
    answers["streamed"] = tasks.create(stream=True, user_message_content="quick", task_id="stream")
    retrieve = tasks.info if hasattr(tasks, "info") else tasks.retrieve  # its name since 1.14
    answers["retrieved"] = retrieve("quick")
    answers["failed"] = tasks.create(stream=False, user_message_content="fail")
    tasks.create(
        stream=False, user_message_content="hang", task_id="hang", extra_body={"background": True}
    )
    if hasattr(tasks, "pause"):
        paused, resumed = tasks.pause("hang"), tasks.resume("hang")
        answers["paused"], answers["resumed"] = _plain(paused), _plain(resumed)
        answers["typed"] += [type(paused).__name__, type(resumed).__name__]
        answers["not_resumable"] = _error(lambda: tasks.resume("quick"))
    answers["canceled"] = tasks.cancel("hang")
    answers["errors"] = [_error(lambda: retrieve("none")), _error(lambda: tasks.cancel("quick"))]
    if hasattr(tasks, "list"):
        answers["listed"] = [task.id for task in tasks.list(limit=2)]
        answers["filtered"] = [task.id for task in tasks.list(status=["canceled", "expired"])]
    answers["deleted"] = tasks.delete("quick")
    answers["errors"].append(_error(lambda: tasks.delete("quick")))
    return answers


def _error(call: Any) -> list[Any]:
    try:
        call()
    except agentlin_client.APIStatusError as exc:
        return [type(exc).__name__, exc.status_code]
    return ["none", 200]


async def _drive_async(base_url: str) -> dict[str, Any]:
    async with AsyncClient(api_key="k", base_url=base_url, timeout=1.0) as client:
        created = await client.tasks.create(stream=False, user_message_content="quick async")
        return {"async_created": created}


def main() -> None:
    base_url = sys.argv[1]
    with Client(api_key="k", base_url=base_url, timeout=1.0, max_retries=2) as client:
        answers = _drive(client)
    answers |= asyncio.run(_drive_async(base_url))
    json.dump({name: _plain(value) for name, value in answers.items()}, sys.stdout)


main()

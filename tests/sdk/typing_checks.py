"""What a type checker knows of the SDK. Pyright checks this file; nothing runs it."""

from typing import assert_type

from agentlin_client import (
    APIConnectionError,
    APIStatusError,
    AsyncClient,
    AsyncStream,
    Client,
    Stream,
    omit,
)
from agentlin_client.types import (
    AgentTaskEvent,
    TaskCancelResponse,
    TaskCreateResponse,
    TaskDeleteResponse,
    TaskObject,
    TaskPauseResponse,
    TaskResumeResponse,
    TaskRetrieveResponse,
    TaskTextDeltaEvent,
    TaskToolResultsResponse,
    ToolResultItemParam,
    UnknownEvent,
)


def blocking(client: Client, *, either: bool, session_id: str | None) -> None:
    whole = client.tasks.create(stream=False, user_message_content="Hello")
    assert_type(whole, TaskCreateResponse)
    assert_type(whole.unwrap(), TaskObject)

    stream = client.tasks.create(stream=True, user_message_content=["Hello"])
    assert_type(stream, Stream[AgentTaskEvent])
    with stream as entered:
        assert_type(entered, Stream[AgentTaskEvent])
    for event in stream:
        assert_type(event, AgentTaskEvent)
        # A match by class or by `type` narrows; other types stay possible as UnknownEvent.
        if isinstance(event, TaskTextDeltaEvent):
            assert_type(event.delta, str)
        if event.type == "task.text.delta":
            assert_type(event, TaskTextDeltaEvent | UnknownEvent)

    assert_type(
        client.tasks.create(stream=either, user_message_content="Hello"),
        TaskCreateResponse | Stream[AgentTaskEvent],
    )
    assert_type(client.tasks.retrieve("t"), TaskRetrieveResponse)
    assert_type(client.tasks.delete("t", timeout=None), TaskDeleteResponse)
    assert_type(client.tasks.cancel("t", extra_headers={"X-A": omit}), TaskCancelResponse)
    assert_type(client.tasks.list(status="working", limit=5).unwrap(), list[TaskObject])
    assert_type(client.tasks.events("t", starting_after=3), Stream[AgentTaskEvent])
    assert_type(client.tasks.events("t", until="final"), Stream[AgentTaskEvent])
    assert_type(client.tasks.pause("t"), TaskPauseResponse)
    assert_type(client.tasks.resume("t", timeout=1.0), TaskResumeResponse)
    answers: list[ToolResultItemParam] = [
        {"type": "tool_result", "call_id": "c", "message_content": "yes", "block_list": []}
    ]
    answered = client.tasks.tool_results("t", tool_results=answers)
    assert_type(answered, TaskToolResultsResponse)
    assert_type(answered.unwrap(), TaskObject)
    assert_type(
        client.tasks.tool_results("t", tool_results=answers, stream=True), Stream[AgentTaskEvent]
    )
    assert_type(
        client.tasks.tool_results("t", tool_results=answers, stream=either),
        TaskToolResultsResponse | Stream[AgentTaskEvent],
    )

    client.tasks.create(
        stream=False,
        user_message_content=[{"type": "text", "text": "Hello"}],
        agent_config={"model": "local/smollm2"},
        session_id=session_id or omit,
        history_messages=[*whole.unwrap().output, {"role": "user", "content": "Hi"}],
        extra_body={"new": 1},
        timeout=5.0,
    )


async def awaited(client: AsyncClient, *, either: bool) -> None:
    whole = await client.tasks.create(stream=False, user_message_content="Hello")
    assert_type(whole, TaskCreateResponse)

    stream = await client.tasks.create(stream=True, user_message_content="Hello")
    assert_type(stream, AsyncStream[AgentTaskEvent])
    async with stream as entered:
        assert_type(entered, AsyncStream[AgentTaskEvent])
    async for event in stream:
        assert_type(event, AgentTaskEvent)

    assert_type(
        await client.tasks.create(stream=either, user_message_content="Hello"),
        TaskCreateResponse | AsyncStream[AgentTaskEvent],
    )
    assert_type(await client.tasks.retrieve("t"), TaskRetrieveResponse)
    assert_type((await client.tasks.list()).unwrap(), list[TaskObject])
    assert_type(await client.tasks.pause("t"), TaskPauseResponse)
    answered = await client.tasks.tool_results("t", tool_results=[], background=True)
    assert_type(answered, TaskToolResultsResponse)
    stream = await client.tasks.tool_results("t", tool_results=[], stream=True)
    assert_type(stream, AsyncStream[AgentTaskEvent])
    assert_type(await client.tasks.events("t"), AsyncStream[AgentTaskEvent])


def mistakes(client: Client) -> None:
    # Each line must be an error: an ignore that is not needed is one too.
    client.tasks.create(stream=True)  # pyright: ignore[reportCallIssue]
    client.tasks.create(user_message_content="Hello")  # pyright: ignore[reportCallIssue]
    client.tasks.create(  # pyright: ignore[reportCallIssue]
        stream=True,
        user_message_content="Hello",
        sesion_id="s",
    )
    client.tasks.retrieve("t", tiemout=1)  # pyright: ignore[reportCallIssue]
    client.tasks.tool_results("t")  # pyright: ignore[reportCallIssue]
    client.tasks.events("t", until="later")  # pyright: ignore[reportArgumentType]


def errors(answered: APIStatusError, broken: APIConnectionError) -> None:
    assert_type(answered.status_code, int)
    assert_type(broken.status_code, int | None)

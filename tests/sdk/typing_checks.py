"""What a type checker knows of the SDK. Pyright checks this file; nothing runs it."""

from typing import Any, assert_type

import pydantic

from agentlin_client import (
    APIConnectionError,
    APIResponse,
    APIStatusError,
    AsyncAPIResponse,
    AsyncClient,
    AsyncStream,
    Client,
    Stream,
    omit,
)
from agentlin_client.lib import AsyncTaskStream, TaskStream
from agentlin_client.lib.task_run import TaskRun
from agentlin_client.resources.async_task_pages import AsyncTaskPage
from agentlin_client.resources.task_pages import TaskPage
from agentlin_client.types import (
    AgentTaskEvent,
    Annotation,
    AnnotationFilePath,
    ContentItem,
    FileContentItem,
    JsonrpcError,
    MessageItem,
    TaskCancelResponse,
    TaskCreateResponse,
    TaskDeleteResponse,
    TaskObject,
    TaskOutputItem,
    TaskPauseResponse,
    TaskResumeResponse,
    TaskRetrieveResponse,
    TaskTextDeltaEvent,
    TaskToolResultsResponse,
    TextContentItem,
    ToolCallItem,
    ToolResultItemParam,
    UnknownEvent,
)


def blocking(client: Client, *, either: bool, session_id: str | None) -> None:
    whole = client.tasks.create(stream=False, user_message_content="Hello")
    assert_type(whole, TaskCreateResponse)
    assert_type(whole.unwrap(), TaskObject)
    assert_type(whole.unwrap().final_text, str)

    stream = client.tasks.create(stream=True, user_message_content=["Hello"])
    assert_type(stream, Stream[AgentTaskEvent])
    with stream as entered:
        assert_type(entered, Stream[AgentTaskEvent])
    for event in stream:
        assert_type(event, AgentTaskEvent)
        if event.type == "task.text.delta":
            assert_type(event, TaskTextDeltaEvent)

    assert_type(
        client.tasks.create(stream=either, user_message_content="Hello"),
        TaskCreateResponse | Stream[AgentTaskEvent],
    )
    assert_type(client.tasks.retrieve("t"), TaskRetrieveResponse)
    assert_type(client.tasks.delete("t", timeout=None), TaskDeleteResponse)
    assert_type(client.tasks.cancel("t", extra_headers={"X-A": omit}), TaskCancelResponse)
    assert_type(client.tasks.list(status="working", limit=5).result, list[TaskObject])
    assert_type(client.tasks.events("t", starting_after=3), Stream[AgentTaskEvent])
    assert_type(client.tasks.events("t", until="final"), Stream[AgentTaskEvent])
    assert_type(client.tasks.pause("t"), TaskPauseResponse)
    assert_type(client.tasks.resume("t", timeout=1.0), TaskResumeResponse)
    answers: list[ToolResultItemParam] = [
        {"type": "tool_result", "call_id": "c", "message_content": "yes", "block_list": []}
    ]
    client.tasks.submit_tool_results(
        "t", tool_results=[{"call_id": "c", "message_content": "18 degrees"}]
    )
    answered = client.tasks.submit_tool_results("t", tool_results=answers)
    assert_type(answered, TaskToolResultsResponse)
    assert_type(answered.unwrap(), TaskObject)
    assert_type(
        client.tasks.submit_tool_results("t", tool_results=answers, stream=True),
        Stream[AgentTaskEvent],
    )
    assert_type(
        client.tasks.submit_tool_results("t", tool_results=answers, stream=either),
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


def events_told_apart(event: AgentTaskEvent) -> None:
    # A match by class or by `type` narrows, to exactly one class.
    if isinstance(event, TaskTextDeltaEvent):
        assert_type(event.delta, str)
    match event:
        case TaskTextDeltaEvent():
            assert_type(event, TaskTextDeltaEvent)
        case UnknownEvent():
            assert_type(event, UnknownEvent)
            assert_type(event.sequence_number, int)
            assert_type(event.any_field_that_came, Any)
        case _:
            pass
    match event.type:
        case "task.text.delta":
            assert_type(event, TaskTextDeltaEvent)
        case "task.failed":
            assert_type(event.error, JsonrpcError)
        case _:
            pass


def parts_told_apart(item: TaskOutputItem, content: ContentItem, note: Annotation) -> None:
    if item.type == "message":
        assert_type(item, MessageItem)
    elif item.type == "tool_call":
        assert_type(item, ToolCallItem)
    if content.type == "output_text" or content.type == "text":  # noqa: PLR1714  # `in` narrows nothing
        assert_type(content, TextContentItem)
    if content.type == "file":
        assert_type(content, FileContentItem)
    if note.type == "file_path":
        assert_type(note, AnnotationFilePath)


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
    assert_type((await client.tasks.list()).result, list[TaskObject])
    assert_type(await client.tasks.pause("t"), TaskPauseResponse)
    answered = await client.tasks.submit_tool_results("t", tool_results=[], background=True)
    assert_type(answered, TaskToolResultsResponse)
    stream = await client.tasks.submit_tool_results("t", tool_results=[], stream=True)
    assert_type(stream, AsyncStream[AgentTaskEvent])
    assert_type(await client.tasks.events("t"), AsyncStream[AgentTaskEvent])


def raw(client: Client, *, either: bool) -> None:
    tasks = client.tasks.with_raw_response
    whole = tasks.create(stream=False, user_message_content="Hello")
    assert_type(whole, APIResponse[TaskCreateResponse])
    assert_type(whole.parse(), TaskCreateResponse)
    assert_type(whole.parse(to=dict[str, int]), dict[str, int])
    assert_type(
        tasks.create(stream=True, user_message_content="Hello"),
        APIResponse[Stream[AgentTaskEvent]],
    )
    assert_type(
        tasks.create(stream=either, user_message_content="Hello"),
        APIResponse[TaskCreateResponse | Stream[AgentTaskEvent]],
    )
    assert_type(tasks.retrieve("t", timeout=1), APIResponse[TaskRetrieveResponse])
    assert_type(tasks.list(limit=5), APIResponse[TaskPage])
    assert_type(tasks.events("t").parse(), Stream[AgentTaskEvent])
    assert_type(
        tasks.submit_tool_results("t", tool_results=[], stream=True),
        APIResponse[Stream[AgentTaskEvent]],
    )
    assert_type(client.with_raw_response.tasks.cancel("t"), APIResponse[TaskCancelResponse])
    assert_type(client.with_raw_response.get("/a", cast_to=list[int]), APIResponse[list[int]])
    assert_type(
        client.with_raw_response.post("/a", stream=True), APIResponse[Stream[AgentTaskEvent]]
    )
    tasks.retrieve("t", tiemout=1)  # pyright: ignore[reportCallIssue]

    streaming = client.tasks.with_streaming_response
    with streaming.create(stream=False, user_message_content="Hello") as entered:
        assert_type(entered, APIResponse[TaskCreateResponse])
    with streaming.create(stream=True, user_message_content="Hello") as opened:
        assert_type(opened.parse(), Stream[AgentTaskEvent])
    with client.with_streaming_response.put("/a", cast_to=str) as text:
        assert_type(text, APIResponse[str])


async def raw_awaited(client: AsyncClient) -> None:
    tasks = client.tasks.with_raw_response
    whole = await tasks.create(stream=False, user_message_content="Hello")
    assert_type(whole, AsyncAPIResponse[TaskCreateResponse])
    assert_type(await whole.parse(), TaskCreateResponse)
    opened = await tasks.create(stream=True, user_message_content="Hello")
    assert_type(await opened.parse(), AsyncStream[AgentTaskEvent])
    assert_type(await tasks.list(), AsyncAPIResponse[AsyncTaskPage])
    async with client.tasks.with_streaming_response.list() as listed:
        assert_type(await listed.parse(), AsyncTaskPage)
    async with client.with_streaming_response.get("/a", cast_to=bytes) as got:
        assert_type(got, AsyncAPIResponse[bytes])


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
    client.tasks.submit_tool_results("t")  # pyright: ignore[reportCallIssue]
    client.tasks.submit_tool_results(
        "t",
        tool_results=[{"call_id": "c"}],  # pyright: ignore[reportArgumentType]
    )
    client.tasks.events("t", until="later")  # pyright: ignore[reportArgumentType]


def errors(answered: APIStatusError, broken: APIConnectionError) -> None:
    assert_type(answered.status_code, int)
    assert_type(broken.status_code, int | None)


class _City(pydantic.BaseModel):
    name: str


def helpers(client: Client) -> None:
    typed = client.tasks.run(user_message_content="Hello", structured_output=_City)
    assert_type(typed, TaskRun[_City])
    assert_type(typed.parsed, _City)
    untyped = client.tasks.run(user_message_content="Hello", tools=[len], session_id="s")
    assert_type(untyped.task, TaskObject)
    assert_type(client.tasks.wait("t", timeout=1.0), TaskObject)
    with client.tasks.stream(user_message_content="Hello") as stream:
        assert_type(list(stream.text_deltas), list[str])
        assert_type(next(iter(stream.events)), AgentTaskEvent)
        assert_type(stream.final_text, str)
    with client.tasks.stream(user_message_content="Hello", structured_output=_City) as parsed:
        assert_type(parsed, TaskStream[_City])
        assert_type(parsed.parsed, _City)
    listed = client.tasks.stream(user_message_content="Hello", structured_output=list[_City])
    assert_type(listed.parsed, list[_City])
    schema = client.tasks.stream(user_message_content="Hello", structured_output={"type": "object"})
    assert_type(schema, TaskStream[Any])
    assert_type((stream.refusal, untyped.refusal), tuple[str | None, str | None])
    assert_type(client.get("/healthz", cast_to=dict[str, bool]), dict[str, bool])
    assert_type(client.with_options(timeout=5), Client)


async def async_helpers(client: AsyncClient) -> None:
    typed = await client.tasks.run(user_message_content="Hello", structured_output=_City)
    assert_type(typed.parsed, _City)
    async with client.tasks.stream(user_message_content="Hello") as stream:
        assert_type([delta async for delta in stream.text_deltas], list[str])
        assert_type(await stream.final_text, str)
    async with client.tasks.stream(user_message_content="Hello", structured_output=_City) as parsed:
        assert_type(parsed, AsyncTaskStream[_City])
        assert_type(await parsed.parsed, _City)
    assert_type([task async for task in client.tasks.list()], list[TaskObject])

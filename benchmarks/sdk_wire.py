"""What the SDKs are fed: streams of events and answers, rendered beforehand; standard library only.

Of two kinds: `tasks`, the protocol of the Tasks API, and `responses`, that of the `openai` package,
with events of about the same size.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal

Kind = Literal["tasks", "responses"]
Json = dict[str, Any]

TASK_ID: Final = "task_0f3c5a8e1b2d4c6f"
ITEM_ID: Final = "msg_7a1e4d2c9b8f"
LONG_ITEM_ID: Final = "msg_" + "68e4a1c07f2d4b9a" * 4
"""That API's ids are longer; with this one its deltas have the size of ours."""
REQUEST_ID: Final = "req_5d0c7e12a94b"
DELTA: Final = " benchmark"
AT: Final = "2026-11-24T00:00:00.000Z"

BLOCK: Final = 100
"""Events of one block of the mix: one tool call, and an answer of `BLOCK_DELTAS` deltas."""
BLOCK_DELTAS: Final = 90

_TEXT: Final = {"type": "output_text", "annotations": [], "logprobs": []}
_PLACE: Final = {"item_id": ITEM_ID, "agent_step": 1, "content_index": 0}


def _dump(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _message(text: str, status: str) -> Json:
    item = {"type": "message", "id": ITEM_ID, "role": "assistant", "status": status}
    return item | {"message_content": [_TEXT | {"text": text}] if text else []}


def task(status: str, text: str = "") -> Json:
    """Return a TaskObject, with one message if there is a text."""
    return {
        "id": TASK_ID,
        "object": "task",
        "created_at": 1_795_000_000,
        "status": status,
        "session_id": "sess_4b6e0a1f",
        "user_id": "user_default",
        "output": [_message(text, "completed")] if text else [],
    }


def _response(text: str) -> Json:
    """Return a Response of the `openai` package, completed."""
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    message = {"type": "message", "id": ITEM_ID, "role": "assistant", "status": "completed"}
    return {
        "id": "resp_0f3c5a8e1b2d4c6f",
        "object": "response",
        "created_at": 1_795_000_000,
        "status": "completed",
        "model": "mock",
        "output": [message | {"content": [part]}],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
    }


def _text_delta(kind: Kind, delta: str) -> Json:
    if kind == "tasks":
        return {"type": "task.text.delta", **_PLACE, "delta": delta, "logprobs": []}
    place = {"item_id": LONG_ITEM_ID, "output_index": 0, "content_index": 0}
    hidden = {"obfuscation": "Zk3vQ8sT1x"}  # as that API pads its deltas
    return {"type": "response.output_text.delta", **place, "delta": delta, "logprobs": [], **hidden}


def _last(kind: Kind) -> Json:
    if kind == "tasks":
        return {"type": "task.completed", "timestamp": AT, "task": task("completed", "done")}
    return {"type": "response.completed", "response": _response("done")}


def _block() -> list[Json]:
    """Return the events of a tool call and of an answer, whole (contract, section 4, Order)."""
    call_place = {"item_id": "tc_1", "call_id": "call_1", "agent_step": 1}
    arguments = '{"city": "Berlin", "unit": "celsius"}'
    call = {"type": "tool_call", "id": "tc_1", "call_id": "call_1", "name": "weather"}
    call |= {"arguments": arguments, "status": "completed"}
    text = DELTA * BLOCK_DELTAS
    part = _TEXT | {"text": text}
    return [
        {"type": "task.output_item.added", "agent_step": 1, "item": call},
        {"type": "task.tool_call_arguments.delta", **call_place, "delta": arguments},
        {"type": "task.tool_call_arguments.done", **call_place, "arguments": arguments},
        {"type": "task.output_item.done", "agent_step": 1, "item": call},
        {"type": "task.tools_updated", "tools": []},
        {"type": "task.output_item.added", "agent_step": 2, "item": _message("", "in_progress")},
        {"type": "task.content_part.added", **_PLACE, "part": _TEXT | {"text": ""}},
        *(_text_delta("tasks", DELTA) for _ in range(BLOCK_DELTAS)),
        {"type": "task.text.done", **_PLACE, "text": text, "logprobs": []},
        {"type": "task.content_part.done", **_PLACE, "part": part},
        {"type": "task.output_item.done", "agent_step": 2, "item": _message(text, "completed")},
    ]


def _frame(kind: Kind, number: int, event: Mapping[str, Any]) -> bytes:
    name = event["type"].encode()
    if kind == "responses":
        return b"event: %b\ndata: %b\n\n" % (name, _dump({**event, "sequence_number": number}))
    result = {"task_id": TASK_ID, "sequence_number": number, **event}
    data = _dump({"jsonrpc": "2.0", "id": REQUEST_ID, "result": result})
    return b"id: %d-1\nevent: %b\ndata: %b\n\n" % (number, name, data)


def deltas(kind: Kind, count: int) -> list[bytes]:
    """Return the frames of a stream of `count` text deltas and one last event."""
    events = [*(_text_delta(kind, DELTA) for _ in range(count)), _last(kind)]
    return [_frame(kind, number, event) for number, event in enumerate(events)]


def mixed(blocks: int) -> list[bytes]:
    """Return the frames of a task that calls tools: 90 % text deltas, snapshots at both ends."""
    created = {"type": "task.created", "timestamp": AT, "task": task("created")}
    working = {"type": "task.working", "timestamp": AT}
    events = [created, working, *(_block() * blocks), _last("tasks")]
    return [_frame("tasks", number, event) for number, event in enumerate(events)]


def large(kind: Kind, size_bytes: int) -> list[bytes]:
    """Return the frames of one text delta of this size, and one last event."""
    events = [_text_delta(kind, "x" * size_bytes), _last(kind)]
    return [_frame(kind, number, event) for number, event in enumerate(events)]


def with_crlf(frames: Sequence[bytes]) -> list[bytes]:
    """Return the frames with CRLF for LF; JSON has no raw line ends."""
    return [frame.replace(b"\n", b"\r\n") for frame in frames]


def cut(frames: Sequence[bytes], size_bytes: int | None) -> list[bytes]:
    r"""Return the chunks of a stream: one per frame, or of this size, wherever that cuts.

    >>> cut([b"data: a\n\n", b"data: b\n\n"], 8)
    [b'data: a\n', b'\ndata: b', b'\n\n']
    """
    if size_bytes is None:
        return list(frames)
    text = b"".join(frames)
    return [text[start : start + size_bytes] for start in range(0, len(text), size_bytes)]


def json_answer(kind: Kind) -> bytes:
    """Return the body of the answer to a create without a stream."""
    if kind == "responses":
        return _dump(_response("Hello! How can I help you?"))
    result = task("completed", "Hello! How can I help you?")
    return _dump({"jsonrpc": "2.0", "id": REQUEST_ID, "result": result})


def http_chunks(frames: Sequence[bytes]) -> Iterator[bytes]:
    r"""Yield each frame as a chunk of HTTP/1.1, then the last, empty one.

    >>> list(http_chunks([b"data: a\n\n"]))
    [b'9\r\ndata: a\n\n\r\n', b'0\r\n\r\n']
    """
    for frame in frames:
        yield b"%x\r\n%b\r\n" % (len(frame), frame)
    yield b"0\r\n\r\n"

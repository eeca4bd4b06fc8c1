"""What a server of the contract puts on the wire: tasks, envelopes, a whole log of events."""

import json
from typing import Any

from agentlin_client.types.order import OrderValidator
from tests.sdk.server import Answer

TASK_ID = "task_1"
SSE = {"Content-Type": "text/event-stream"}
JSON = {"Content-Type": "application/json"}


def task(status: str = "completed", **fields: Any) -> dict[str, Any]:
    return {
        "id": TASK_ID,
        "object": "task",
        "created_at": 1_790_000_000,
        "status": status,
        "session_id": "sess_1",
        "user_id": "user_default",
        "output": [],
    } | fields


def envelope(result: object = None, error: object = None) -> bytes:
    body: dict[str, Any] = {"jsonrpc": "2.0", "id": "req_1"}
    if result is not None:
        body["result"] = result
    if error is not None:
        body["error"] = error
    return json.dumps(body).encode()


def answer(result: object = None, *, status: int = 200, error: object = None) -> Answer:
    return Answer(status=status, headers=JSON, body=envelope(result, error))


def refusal(status: int, code: int = -32000, message: str = "No", **headers: str) -> Answer:
    error = {"code": code, "message": message}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status=status, headers=JSON | named, body=envelope(error=error))


def log(*deltas: str, last: str = "task.completed", **last_fields: Any) -> list[dict[str, Any]]:
    """Return the events of a task that says `deltas` and ends (or rests) with `last`."""
    timestamp = "2026-11-23T18:00:00.000Z"
    text = "".join(deltas)
    part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    item = {"type": "message", "id": "msg_1", "role": "assistant", "message_content": []}
    at = {"item_id": "msg_1", "agent_step": 1, "content_index": 0}
    done_part = part | {"text": text}
    done_item = item | {"message_content": [done_part], "status": "completed"}
    status = last.removeprefix("task.").replace("_", "-")
    bodies: list[dict[str, Any]] = [
        {"type": "task.created", "timestamp": timestamp, "task": task("created")},
        {"type": "task.working", "timestamp": timestamp},
        {"type": "task.tools_updated", "tools": []},
        {
            "type": "task.output_item.added",
            "agent_step": 1,
            "item": item | {"status": "in_progress"},
        },
        {"type": "task.content_part.added", **at, "part": part},
        *({"type": "task.text.delta", **at, "delta": delta, "logprobs": []} for delta in deltas),
        {"type": "task.text.done", **at, "text": text, "logprobs": []},
        {"type": "task.content_part.done", **at, "part": done_part},
        {"type": "task.output_item.done", "agent_step": 1, "item": done_item},
        {"type": last, "timestamp": timestamp, "task": task(status), **last_fields},
    ]
    events = [
        {"task_id": TASK_ID, "sequence_number": number} | body for number, body in enumerate(bodies)
    ]
    validator = OrderValidator()
    for event in events:
        validator.check(event)
    return events


def frame(event: dict[str, Any], error: object = None) -> bytes:
    data = envelope(event, error)
    return b"id: %d-1\nevent: %b\ndata: %b\n\n" % (
        event["sequence_number"],
        event["type"].encode(),
        data,
    )


def stream(events: list[dict[str, Any]], **options: Any) -> Answer:
    """Return an answer that streams the events, one chunk each."""
    chunks = tuple(frame(event) for event in events)
    return Answer(headers=SSE, chunks=chunks, **options)

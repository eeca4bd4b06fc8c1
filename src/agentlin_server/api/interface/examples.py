"""Examples: request bodies, and one task from its first event to its last.

The events are made by the code that makes the real ones, so that the example can't differ.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from agentlin_client.types.fold import TaskFold
from agentlin_server.api.envelope import envelope_prefix
from agentlin_server.api.sse import lone_frame
from agentlin_server.domain import events
from agentlin_server.domain.events import AnyDraft, Json
from agentlin_server.engine.encode import (
    Numbering,
    decode_event,
    needs_snapshot,
    snapshot_json,
    with_snapshot,
)

REQUEST_ID: Final = "req_4f1c"
TASK_ID: Final = "task_7d2a"
_SESSION_ID: Final = "sess_91be"
_MESSAGE_ID: Final = "msg_c04d"
_CREATED_AT: Final = 1_767_225_600.0
"""2026-01-01T00:00:00Z, Unix seconds."""
_EVENT_GAP_S: Final = 0.03
_PIECES: Final = ("The sea", " is salty.")
_USAGE: Final[Json] = {
    "input_tokens": 17,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 5,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 22,
    "estimated": False,
}
_BASE: Final[Json] = {
    "id": TASK_ID,
    "object": "task",
    "created_at": int(_CREATED_AT),
    "session_id": _SESSION_ID,
    "user_id": "user_default",
    "metadata": None,
    "previous_task_id": None,
    "user_message_content": "Is the sea salty? Answer in one sentence.",
}

_ANSWER: Final[Json] = {
    "type": "tool_result",
    "call_id": "call_01",
    "message_content": "18 degrees, light rain",
    "block_list": [],
}

BODIES: Final[dict[str, Any]] = {
    "stream": {
        "summary": "Stream the events as they come",
        "value": {"stream": True, "user_message_content": _BASE["user_message_content"]},
    },
    "wait": {
        "summary": "Wait for the task to end",
        "value": {"stream": False, "user_message_content": "Write a haiku about rivers."},
    },
    "background": {
        "summary": "Answer at once, run on",
        "value": {
            "stream": False,
            "background": True,
            "user_message_content": "Write a short story about a lighthouse.",
            "metadata": {"ticket": "T-17"},
        },
    },
    "agent": {
        "summary": "Bring an agent, and turns before the message",
        "value": {
            "stream": True,
            "session_id": _SESSION_ID,
            "user_message_content": [{"type": "input_text", "text": "And the lake?"}],
            "history_messages": [
                {"role": "user", "content": "Is the sea salty?"},
                {"role": "assistant", "content": "Yes."},
            ],
            "agent_config": {
                "model": "openai/gpt-4.1-mini",
                "developer_prompt": "Answer in one sentence.",
                "max_response_length": 200,
            },
            "inference_args": {"temperature": 0.2},
        },
    },
    "client_tools": {
        "summary": "Offer a tool that the client runs, and a time limit",
        "value": {
            "stream": False,
            "session_id": _SESSION_ID,
            "user_message_content": "Do I need a coat in Oslo?",
            "client_tools": [
                {
                    "type": "function",
                    "function": {
                        "name": "get_weather",
                        "description": "The weather in a city, now.",
                        "parameters": {
                            "type": "object",
                            "properties": {"city": {"type": "string"}},
                            "required": ["city"],
                        },
                    },
                }
            ],
            "timeout_s": 600,
            "on_busy": "enqueue",
        },
    },
    "answer": {
        "summary": "Answer the calls of the session's task",
        "value": {
            "stream": True,
            "session_id": _SESSION_ID,
            "user_message_content": "",
            "thought_messages": [_ANSWER],
        },
    },
}
"""Bodies of a create."""

TOOL_RESULTS: Final[Json] = {"tool_results": [_ANSWER], "stream": False}
"""A body of tool_results."""


def stream() -> str:
    """Return the server-sent events of a short task."""
    numbered = enumerate(_lines())
    frames = b"".join(lone_frame(line, seq, 1) for seq, line in numbered)
    return frames.replace(b"\x00", envelope_prefix(REQUEST_ID)).decode()


def task() -> Json:
    """Return that task, completed."""
    return decode_event(_lines()[-1])["task"]


def queued() -> Json:
    """Return that task as it was before it ran."""
    return decode_event(_lines()[0])["task"] | {"status": "queued"}


def about_to_pause() -> Json:
    """Return that task while it runs and is to be paused."""
    return decode_event(_lines()[0])["task"] | {"status": "working", "pause_requested": True}


def envelope(result: object) -> Json:
    """Return an answer's envelope around `result`."""
    return {"jsonrpc": "2.0", "id": REQUEST_ID, "result": result}


@cache
def _lines() -> Sequence[bytes]:
    fold = TaskFold()
    numbering = Numbering(TASK_ID)
    lines: list[bytes] = []
    for draft in _drafts():
        at = _CREATED_AT + len(lines) * _EVENT_GAP_S
        for line in numbering.lines([draft], len(lines), at):
            event = decode_event(line)
            fold.apply(event | {"task": _BASE} if not lines else event)
            task = snapshot_json(fold.snapshot())
            lines.append(with_snapshot(line, task) if needs_snapshot(line) else line)
    return lines


def _drafts() -> list[AnyDraft]:
    place: dict[str, Any] = {"step": 1, "index": 0}
    text = "".join(_PIECES)
    item: Json = {"type": "message", "id": _MESSAGE_ID, "role": "assistant"}
    empty: Json = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    whole = empty | {"text": text}
    delta = events.text_delta(_MESSAGE_ID, **place)
    return [
        events.created(),
        events.working(),
        events.tools_updated([]),
        events.item_added(item | {"status": "in_progress", "message_content": []}, step=1),
        events.part_added(_MESSAGE_ID, **place, part=empty),
        delta(_PIECES),
        events.text_done(_MESSAGE_ID, **place, text=text, logprobs=[]),
        events.part_done(_MESSAGE_ID, **place, part=whole),
        events.item_done(
            item | {"status": "completed", "message_content": [whole]},
            step=1,
            usage=_USAGE,
            finish_reason="stop",
        ),
        events.completed(),
    ]

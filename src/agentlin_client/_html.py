"""Tasks as HTML, for notebooks. Pure; works on the wire form, so it depends on no type.

What a model or a tool wrote is shown as text, never as Markdown or HTML of its own: those could
load images, and so carry what is in the task to anybody's server.
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final, cast

from ._redact import redact_arguments

_TEXT_CHARS_MAX: Final = 20_000
_SHORT_CHARS_MAX: Final = 2_000
_TEXT: Final = "white-space:pre-wrap;text-align:left;margin:.4em 0"
_DIM: Final = f"{_TEXT};opacity:.65"
_COLORS: Final = {
    "completed": "#2e7d32",
    "failed": "#c62828",
    "expired": "#c62828",
    "input-required": "#b26a00",
    "paused": "#b26a00",
}


def html_of(model: Mapping[str, Any]) -> str | None:
    """Return a report on a task, or on the task in an envelope; None for all else."""
    task: Any = model.get("result", model)
    if not isinstance(task, Mapping):
        return None
    task = cast("Mapping[str, Any]", task)
    return _task(task) if task.get("object") == "task" else None


def _task(task: Mapping[str, Any]) -> str:
    items: Any = task.get("output")
    parts = [_head(task)]
    if isinstance(items, Sequence) and not isinstance(items, str):
        parts += [_item(item) for item in cast("Sequence[Any]", items)]
    if isinstance(error := task.get("error"), Mapping):
        error = cast("Mapping[str, Any]", error)
        parts.append(
            _block(f"{error.get('message')} ({error.get('code')})", f"{_TEXT};color:#c62828")
        )
    return "<div>" + "".join(parts) + "</div>"


def _head(task: Mapping[str, Any]) -> str:
    status = str(task.get("status"))
    color = _COLORS.get(status, "inherit")
    usage = _mapping(task.get("usage"))
    words = [
        f"<b style='color:{color}'>{escape(status)}</b>",
        f"<code>{_escaped(task.get('id'))}</code>",
    ]
    if usage:
        about = "about " if usage.get("estimated") else ""
        words.append(
            escape(f"{about}{usage.get('input_tokens')} + {usage.get('output_tokens')} tokens")
        )
    return f"<div>{' · '.join(words)}</div>"


def _item(item: Any) -> str:
    fields = _mapping(item)
    match fields.get("type"):
        case "message":
            style = _DIM if fields.get("status") == "incomplete" else _TEXT
            body = _block(_content(fields.get("message_content")), style)
            return (
                body
                if fields.get("role") == "assistant"
                else _folded(str(fields.get("role")), body)
            )
        case "reasoning":
            text = _content(fields.get("content")) or _content(fields.get("summary"))
            return _folded("reasoning", _block(text, _DIM)) if text else ""
        case "tool_call":
            text = _cut(redact_arguments(str(fields.get("arguments"))), _SHORT_CHARS_MAX)
            return _folded(f"→ {fields.get('name')}", _block(text, _DIM))
        case "tool_result":
            text = _cut(_content(fields.get("message_content")), _SHORT_CHARS_MAX)
            return _folded("← result", _block(text, _DIM))
        case kind:
            return _folded(str(kind), "")


def _content(content: Any) -> str:
    """Return the text of a content; what is no text is named by its type."""
    if isinstance(content, str):
        return content
    if not isinstance(content, Sequence):
        return ""
    return "".join(_part(part) for part in cast("Sequence[Any]", content))


def _part(part: Any) -> str:
    if isinstance(part, str):
        return part
    fields = _mapping(part)
    text = fields.get("text")
    return text if isinstance(text, str) else f"[{fields.get('type')}]"


def _mapping(value: Any) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def _block(text: str, style: str) -> str:
    return f'<div style="{style}">{_escaped(_cut(text, _TEXT_CHARS_MAX))}</div>'


def _folded(title: str, body: str) -> str:
    return f"<details><summary>{_escaped(title)}</summary>{body}</details>"


def _cut(text: str, chars_max: int) -> str:
    return text if len(text) <= chars_max else f"{text[:chars_max]}... ({len(text)} characters)"


def _escaped(value: object) -> str:
    return escape(str(value))

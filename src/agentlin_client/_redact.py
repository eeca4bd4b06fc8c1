"""What may be shown of a request: its form without its secrets, and not at any length.

Imported with every client, so it imports next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from ._sentinels import NotGiven, Omit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

HIDDEN: Final = "<redacted>"
"""What is shown instead of a secret."""

_SECRET: Final = (
    "auth",
    "cookie",
    "credential",
    "key",
    "passphrase",
    "passw",
    "pwd",
    "secret",
    "signature",
    "token",
)
_HARMLESS: Final = frozenset({"author", "authors", "idempotency-key", "idempotency_key"})
_ALL_SECRET: Final = frozenset({"env", "headers", "extra_headers"})
"""Fields whose every value may be a secret; the names in them may be shown."""
_DATA: Final = frozenset({"data", "file_data", "partial_image_b64", "partial_file_b64"})
"""Fields that hold base64."""

_TEXT_CHARS_MAX: Final = 200
_DATA_CHARS_MAX: Final = 40
_ELEMENTS_MAX: Final = 20
_DEPTH_MAX: Final = 12
_JSON_CHARS_MAX: Final = 10_000
_KEYS_IN_TEXT: Final = r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}|\b(sk)-[\w-]{16,}"


def is_secret_name(name: str) -> bool:
    """Whether a header or field of this name may hold a secret; in doubt, yes.

    >>> is_secret_name("X-Api-Key"), is_secret_name("Idempotency-Key"), is_secret_name("author")
    (True, False, False)
    """
    lower = name.lower()
    return lower not in _HARMLESS and any(part in lower for part in _SECRET)


def redact_headers(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the headers with the value of each that may hold a secret hidden.

    >>> redact_headers([("Authorization", "Bearer k"), ("Idempotency-Key", "agentlin-1")])
    {'Authorization': '<redacted>', 'Idempotency-Key': 'agentlin-1'}
    """
    return {name: HIDDEN if is_secret_name(name) else value for name, value in headers}


def redact_url(url: object) -> str:
    """Return a URL without user, password, query and fragment, any of which may hold a secret.

    Args:
        url: A string, or what `str` makes a URL of, such as an `httpx.URL`.

    >>> redact_url("https://me:pass@agents.example/v1/tasks?key=k#top")
    'https://agents.example/v1/tasks'
    """
    text = str(url).partition("#")[0].partition("?")[0]
    scheme, mark, rest = text.partition("://")
    if not mark:
        return text
    authority, slash, path = rest.partition("/")
    return f"{scheme}://{authority.rpartition('@')[2]}{slash}{path}"


def redact_body(body: Mapping[str, object]) -> dict[str, object]:
    """Return what may be logged of a request's body: its fields, no secret, nothing long.

    Hidden are the values of `env` and of `headers`, of every field named like a secret, the
    arguments of commands, user and query of URLs, and keys that stand in texts. Long texts,
    base64 and long lists are cut. The body itself is not changed, and no iterator is consumed.

    >>> redact_body({"env": {"A": "1"}, "inference_args": {"max_tokens": 9, "api_key": "k"}})
    {'env': {'A': '<redacted>'}, 'inference_args': {'max_tokens': 9, 'api_key': '<redacted>'}}
    """
    return _fields(body, 0)


def _fields(fields: Mapping[str, object], depth: int) -> dict[str, object]:
    return {
        name: _field(str(name).lower(), value, depth)
        for name, value in fields.items()
        if not isinstance(value, Omit | NotGiven)
    }


def _field(name: str, value: object, depth: int) -> object:
    if value is None or isinstance(value, bool):
        return value
    if name in _ALL_SECRET:
        return _names_only(value)
    if is_secret_name(name):
        # A number of tokens is none.
        return value if "token" in name and isinstance(value, int | float) else HIDDEN
    if name == "args":  # of a command: any of them may be a secret
        return HIDDEN
    if isinstance(value, str):
        return _named_text(name, value, depth)
    return _value(value, depth)


def _named_text(name: str, text: str, depth: int) -> str:
    if name.endswith(("url", "uri")) and not text.startswith("data:"):
        return _cut(redact_url(text))
    if name in _DATA and len(text) > _DATA_CHARS_MAX:
        return f"<{len(text)} characters>"
    if name == "arguments":
        return _json_text(text, depth)
    return _text(text)


def _value(value: object, depth: int) -> object:
    match value:
        case None | bool() | int() | float():
            shown: object = value
        case str():
            shown = _text(value)
        case bytes() | bytearray():
            shown = f"<{len(value)} bytes>"
        case list() | tuple():
            shown = _elements(cast("Sequence[object]", value), depth + 1)
        case _ if (fields := _fields_of(value)) is not None:
            shown = "..." if depth >= _DEPTH_MAX else _fields(fields, depth + 1)
        case _:
            shown = f"<{type(value).__name__}>"
    return shown


def _fields_of(value: object) -> Mapping[str, object] | None:
    """Return the fields of a mapping or of a model, None if the value is neither."""
    if isinstance(value, dict) or hasattr(value, "items"):
        return cast("Mapping[str, object]", value)
    # Not by its class: pydantic may not be loaded, and takes long to be.
    dump: Any = getattr(value, "model_dump", None)
    return None if dump is None else dump(exclude_unset=True)


def _elements(values: Sequence[object], depth: int) -> object:
    if depth >= _DEPTH_MAX:
        return "..."
    shown = [_value(value, depth) for value in values[:_ELEMENTS_MAX]]
    if len(values) > _ELEMENTS_MAX:
        shown.append(f"... {len(values) - _ELEMENTS_MAX} more")
    return shown


def _names_only(value: object) -> object:
    fields = _fields_of(value)
    return HIDDEN if fields is None else dict.fromkeys(fields, HIDDEN)


def _json_text(text: str, depth: int) -> str:
    """Return the arguments of a tool call: JSON in a string, with fields of its own."""
    import json

    try:
        decoded: object = json.loads(text) if len(text) <= _JSON_CHARS_MAX else None
    except (ValueError, RecursionError):
        decoded = None
    if isinstance(decoded, dict):
        fields = _fields(cast("dict[str, object]", decoded), depth + 1)
        return _cut(json.dumps(fields, ensure_ascii=False))
    return _text(text)


def _text(text: str) -> str:
    import re

    if text.startswith("data:"):
        kind, mark, data = text.partition(",")
        return f"{kind}{mark}<{len(data)} characters>" if len(kind) < _TEXT_CHARS_MAX else HIDDEN
    # What is cut off need not be searched, but a key must not be cut into something harmless.
    shown = re.sub(_KEYS_IN_TEXT, HIDDEN, text[: 10 * _TEXT_CHARS_MAX])
    return _cut(shown, of=len(text))


def _cut(text: str, of: int | None = None) -> str:
    length = len(text) if of is None else of
    if length <= _TEXT_CHARS_MAX:
        return text
    return f"{text[:_TEXT_CHARS_MAX]}... ({length} characters)"

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
    "bearer",
    "cookie",
    "credential",
    "jwt",
    "key",
    "passphrase",
    "passw",
    "private",
    "pwd",
    "secret",
    "signature",
    "token",
)
_SECRET_ENDS: Final = ("pass", "dsn")
_HARMLESS: Final = frozenset(
    {"author", "authors", "idempotency-key", "idempotency_key", "keyword", "keywords"}
)
_ALL_SECRET: Final = frozenset({"env", "headers", "extra_headers"})
"""Fields whose every value may be a secret; the names in them may be shown."""
_DATA: Final = frozenset({"data", "file_data", "partial_image_b64", "partial_file_b64"})
"""Fields that hold base64."""

_TEXT_CHARS_MAX: Final = 200
_DATA_CHARS_MAX: Final = 40
_ELEMENTS_MAX: Final = 20
_DEPTH_MAX: Final = 12
_JSON_CHARS_MAX: Final = 10_000
_KEYS_IN_TEXT: Final = (
    r"(?i:\b(?:bearer|basic)\s+[\w.~+/=-]{8,})"
    r"|(?i:\bsk-[\w-]{16,})"
    r"|\b[rs]k_(?:live|test)_\w{16,}"
    r"|\bgh[pousr]_\w{20,}"
    r"|\bgithub_pat_\w{20,}"
    r"|\bglpat-[\w-]{16,}"
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"
    r"|\bAIza[\w-]{35}"
    r"|\bxox[abeprs]-[\w-]{10,}"
    r"|\bhf_\w{30,}"
    r"|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"  # a JSON web token
    # One that was cut off is as secret as a whole one.
    r"|-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----(?s:.*?)(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)"
    r"|(?<=://)[^\s/?#]+(?=@)"  # user and password of a URL
)
_FIELDS_IN_TEXT: Final = r'"([^"\\]{1,64})"(\s*:\s*)"(?:[^"\\]|(?s:\\.))*(?:"|\\?\Z)'
"""A field with a text in JSON, which may have been cut off."""


def is_secret_name(name: str) -> bool:
    """Whether a header or field of this name may hold a secret; in doubt, yes.

    >>> is_secret_name("X-Api-Key"), is_secret_name("Idempotency-Key"), is_secret_name("author")
    (True, False, False)
    """
    lower = name.lower()
    if lower in _HARMLESS:
        return False
    return lower.endswith(_SECRET_ENDS) or any(part in lower for part in _SECRET)


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
    arguments of commands, user and query of URLs, all but the host of webhooks, and keys that
    stand in texts. Long texts, base64 and long lists are cut. The body itself is not changed, and
    no iterator is consumed.

    >>> redact_body({"env": {"A": "1"}, "inference_args": {"max_tokens": 9, "api_key": "k"}})
    {'env': {'A': '<redacted>'}, 'inference_args': {'max_tokens': 9, 'api_key': '<redacted>'}}
    """
    return _fields(body, 0)


def concealed(name: str, value: object, *, is_logprob: bool = False) -> object:
    """Return what may be shown of a field, as its name tells; the very value if all of it may.

    Not looked at is what a text says, and the fields of what the field holds.

    Args:
        name: The field's name.
        value: The field's value.
        is_logprob: Whether the field is one of a logprob, whose `token` is a piece of text.

    >>> concealed("api_key", "k"), concealed("input_tokens", 9), concealed("env", {"A": "1"})
    ('<redacted>', 9, {'A': '<redacted>'})
    """
    lower = name.lower()
    if value is None or isinstance(value, bool) or (is_logprob and lower == "token"):
        return value
    if lower in _ALL_SECRET:
        return _names_only(value)
    if is_secret_name(lower):
        return value if "token" in lower and _is_numbers(value, 0) else HIDDEN
    if "webhook" in lower and not isinstance(value, int | float):
        return _host_only(value)
    if lower == "arguments" and isinstance(value, str):
        return redact_arguments(value)
    return value


def redact_arguments(text: str) -> str:
    """Return the arguments of a tool call without secrets; the very text if it holds none.

    Args:
        text: JSON text, whole or as far as it has come.

    >>> redact_arguments('{"user": "Ada", "password": "hun')
    '{"user": "Ada", "password": "<redacted>"'
    """
    import json
    import re

    try:
        decoded: object = json.loads(text) if len(text) <= _JSON_CHARS_MAX else None
        if isinstance(decoded, dict):
            shown = _without_secrets(cast("dict[str, object]", decoded))
            return text if shown == decoded else json.dumps(shown, ensure_ascii=False)
    except (ValueError, RecursionError):
        pass
    return re.sub(
        _FIELDS_IN_TEXT,
        lambda field: f'"{field[1]}"{field[2]}"{HIDDEN}"' if is_secret_name(field[1]) else field[0],
        text,
    )


def _without_secrets(value: object) -> object:
    """Return a JSON value in which every field is concealed."""
    if isinstance(value, list):
        return [_without_secrets(each) for each in cast("list[object]", value)]
    if not isinstance(value, dict):
        return value
    fields = cast("dict[str, object]", value)
    return {
        name: _without_secrets(concealed(name, each, is_logprob="logprob" in fields))
        for name, each in fields.items()
    }


def _is_numbers(value: object, depth: int) -> bool:
    """Whether it is a number, or holds nothing else: counts of tokens, or their ids."""
    if isinstance(value, dict):
        parts = list(cast("dict[str, object]", value).values())
    elif isinstance(value, list | tuple):
        parts = cast("Sequence[object]", value)
    else:
        return value is None or isinstance(value, int | float)
    return depth < _DEPTH_MAX and all(_is_numbers(part, depth + 1) for part in parts)


def _host_only(value: object) -> str:
    """Return the host of a webhook: whoever knows its path may use it."""
    scheme, mark, rest = redact_url(value).partition("://") if isinstance(value, str) else ("",) * 3
    return f"{scheme}{mark}{rest.partition('/')[0]}/{HIDDEN}" if mark else HIDDEN


def _fields(fields: Mapping[str, object], depth: int) -> dict[str, object]:
    is_logprob = "logprob" in fields
    return {
        name: _field(str(name), value, depth, is_logprob=is_logprob)
        for name, value in fields.items()
        if not isinstance(value, Omit | NotGiven)
    }


def _field(name: str, value: object, depth: int, *, is_logprob: bool) -> object:
    lower = name.lower()
    if lower == "args" and value is not None:  # of a command: any of them may be a secret
        return HIDDEN
    shown = concealed(name, value, is_logprob=is_logprob)
    return _named_text(lower, shown) if isinstance(shown, str) else _value(shown, depth)


def _named_text(name: str, text: str) -> str:
    if name.endswith(("url", "uri")) and not text.startswith("data:"):
        return _text(redact_url(text))
    if name in _DATA and len(text) > _DATA_CHARS_MAX:
        return f"<{len(text)} characters>"
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

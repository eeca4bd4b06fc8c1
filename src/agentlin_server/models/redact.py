"""Takes secrets out of JSON before it is stored or shown: rollouts, error messages, logs."""

import json
import re
from collections.abc import Callable, Iterable
from typing import Any, Final, cast

REDACTED: Final = "[redacted]"
SECRET_CHARS_MIN: Final = 6
"""A shorter "secret" (`none`, `test`) would tear holes into ordinary text; it is left alone."""
_DEPTH_MAX: Final = 200
_BARE_TOKEN_CHARS_MIN: Final = 20


def _if_tokenlike(match: re.Match[str]) -> str:
    """Redact the group `token`, unless it looks like a word (`bearer certificates`)."""
    token = match["token"]
    is_word = token.isalpha() and len(token) < _BARE_TOKEN_CHARS_MIN
    return match[0] if is_word else match["prefix"] + REDACTED


def _if_has_digit(match: re.Match[str]) -> str:
    return REDACTED if any(char.isdigit() or char == "*" for char in match[0]) else match[0]


_Replacement = str | Callable[[re.Match[str]], str]

# (literals, one of which any match contains; the shape; what replaces it). Looking for a literal
# costs next to nothing, so the expression runs only where there is something to find. Each
# expression is linear: what follows its first literal is matched without backtracking into it.
_SHAPES: Final[tuple[tuple[tuple[str, ...], re.Pattern[str], _Replacement], ...]] = (
    (("sk-",), re.compile(r"\bsk-[A-Za-z0-9_*\-]{16,}"), _if_has_digit),
    (
        ("earer ", "EARER "),
        re.compile(r"(?P<prefix>\b(?:[Bb]earer|BEARER) +)(?P<token>[A-Za-z0-9._~+/\-]{8,}=*)"),
        _if_tokenlike,
    ),
    (
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
        re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})"),
        REDACTED,
    ),
    (("AKIA", "ASIA"), re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"), REDACTED),
    (("AIza",), re.compile(r"\bAIza[0-9A-Za-z_\-]{35}"), REDACTED),
    (("xox",), re.compile(r"\bxox[abprs]-[A-Za-z0-9\-]{10,}"), REDACTED),
    (("hf_",), re.compile(r"\bhf_[A-Za-z0-9]{30,}"), REDACTED),
    (
        ("PRIVATE KEY-----",),
        # a block that was cut off is as secret as a whole one
        re.compile(
            r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----"
            r".*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)",
            re.DOTALL,
        ),
        REDACTED,
    ),
)


class Redactor:
    """Replaces secrets in any JSON value by `[redacted]`.

    Args:
        secrets: Strings that must never appear, e.g. provider keys. They are found inside
            JSON text too (with their escapes). Shorter than `SECRET_CHARS_MIN`: ignored.

    >>> Redactor(["hunter22"]).redact({"a": ["pass hunter22", 1], "b": "Bearer abc123def"})
    {'a': ['pass [redacted]', 1], 'b': 'Bearer [redacted]'}
    """

    __slots__ = ("_secrets",)

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        found: set[str] = set()
        for secret in secrets:
            if len(secret) >= SECRET_CHARS_MIN:
                found |= {
                    secret,
                    json.dumps(secret)[1:-1],
                    json.dumps(secret, ensure_ascii=False)[1:-1],
                }
        # longest first: a secret that contains another must not leave its ends behind
        self._secrets = sorted(found, key=lambda secret: (-len(secret), secret))

    def redact(self, value: Any) -> Any:
        """Return `value` without secrets; the very same object if there were none.

        Keys of objects are cleaned as values are. What is nested deeper than 200 levels is
        redacted whole.
        """
        return self._walk(value, 0)

    def redact_text(self, text: str) -> str:
        """Return `text` without secrets; the very same object if there were none."""
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, REDACTED)
        for literals, shape, replacement in _SHAPES:
            if any(literal in text for literal in literals):
                cleaned = shape.sub(replacement, text)
                text = text if cleaned == text else cleaned
        return text

    def _walk(self, value: Any, depth: int) -> Any:
        if isinstance(value, str):
            return self.redact_text(value)
        if not isinstance(value, dict | list | tuple):
            return value
        if depth >= _DEPTH_MAX:
            return REDACTED
        if isinstance(value, dict):
            return self._walk_dict(cast("dict[Any, Any]", value), depth)
        items = cast("list[Any] | tuple[Any, ...]", value)
        cleaned = [self._walk(item, depth + 1) for item in items]
        if all(new is old for new, old in zip(cleaned, items, strict=True)):
            return items
        return cleaned if isinstance(items, list) else tuple(cleaned)

    def _walk_dict(self, value: dict[Any, Any], depth: int) -> dict[Any, Any]:
        is_changed = False
        cleaned: dict[Any, Any] = {}
        for key, item in value.items():
            new_key, new_item = self._walk(key, depth + 1), self._walk(item, depth + 1)
            is_changed = is_changed or new_key is not key or new_item is not item
            cleaned[new_key] = new_item
        return cleaned if is_changed else value

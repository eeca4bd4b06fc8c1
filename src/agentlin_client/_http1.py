"""A request as HTTP/1.1 puts it on the wire: its head, checked, and the frames of its body."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, NamedTuple

import httpx

_TOKEN: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_DIGITS: Final = re.compile(rb"[0-9]+")

_LENGTH: Final = b"content-length"
_ENCODING: Final = b"transfer-encoding"


class Head(NamedTuple):
    """The first half of a request.

    Attributes:
        data: Request line and headers, with the empty line after them.
        size: How many bytes of body they announce; None for chunks until there are no more.
    """

    data: bytes
    size: int | None


def encode_head(
    request: httpx.Request, target: bytes, headers: Iterable[tuple[bytes, bytes]]
) -> Head:
    """Return the head of a request: exactly these headers, in their order, as they are spelt.

    Args:
        request: Gives the method.
        target: What the request line asks for, percent-encoded.
        headers: Names and values.

    Raises:
        httpx.LocalProtocolError: A name or value can't stand in a head, where it could pass for
            more headers or another request.
    """
    method = request.method.encode()
    if not _is_token(method):
        raise httpx.LocalProtocolError(f"{request.method!r} is no method", request=request)
    lines = [b"%b %b HTTP/1.1" % (method, target)]
    size: int | None = 0
    for name, value in headers:
        field, framing = _field(name)
        if framing:
            if framing == _ENCODING:
                size = _chunked(value, request)
            elif size is not None:
                size = _length(value, request)
        elif not field:
            raise httpx.LocalProtocolError(f"{name!r} is no name of a header", request=request)
        lines.append(field + value)
    lines.append(b"\r\n")
    data = b"\r\n".join(lines)
    breaks = len(lines)
    if data.count(b"\n") != breaks or data.count(b"\r") != breaks or b"\0" in data:
        raise httpx.LocalProtocolError(
            "a header's value holds a line end or a null", request=request
        )
    return Head(data, size)


class BodyFrames:
    """Frames the pieces of a body as its head announced them.

    Args:
        head: The request's head.
        request: For the errors.
    """

    __slots__ = ("_left", "_request")

    def __init__(self, head: Head, request: httpx.Request) -> None:
        self._left = head.size
        self._request = request

    def frame(self, piece: bytes) -> bytes:
        """Return the bytes that send a piece.

        Raises:
            httpx.LocalProtocolError: The body is longer than announced.
        """
        if self._left is None:
            # An empty chunk would be the end.
            return b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b""
        self._left -= len(piece)
        if self._left < 0:
            raise httpx.LocalProtocolError(
                "the request's body is longer than its Content-Length", request=self._request
            )
        return piece

    def end(self) -> bytes:
        """Return the bytes that end the body.

        Raises:
            httpx.LocalProtocolError: The body is shorter than announced.
        """
        if self._left is None:
            return b"0\r\n\r\n"
        if self._left:
            raise httpx.LocalProtocolError(
                "the request's body is shorter than its Content-Length", request=self._request
            )
        return b""


@lru_cache(maxsize=256)
def _field(name: bytes) -> tuple[bytes, bytes]:
    """Return the name with its colon (nothing if it can't be one), and what it says of the body."""
    lowered = name.lower()
    framing = lowered if lowered in {_LENGTH, _ENCODING} else b""
    return (name + b": " if _is_token(name) else b""), framing


@lru_cache(maxsize=256)
def _is_token(text: bytes) -> bool:
    return _TOKEN.fullmatch(text) is not None


def _length(value: bytes, request: httpx.Request) -> int:
    if not _DIGITS.fullmatch(value):
        raise httpx.LocalProtocolError(f"Content-Length can't be {value!r}", request=request)
    return int(value)


def _chunked(value: bytes, request: httpx.Request) -> None:
    if value.lower() != b"chunked":
        raise httpx.LocalProtocolError(f"Transfer-Encoding can't be {value!r}", request=request)

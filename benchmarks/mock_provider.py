"""A model provider that costs next to nothing: OpenAI chat completions, always streamed.

The model's name says what to stream: `mock-<tokens>-<rate>` is `tokens` deltas at `rate`
per second, rate 0 meaning flat out. Every delta is one SSE event in one HTTP chunk, as
inference servers send them, and its text holds exactly one `MARK`, so that a reader can
count deltas without parsing. Paced deltas also carry the instant of their sending (see
`stamped_chunk`), which is what the token latency is computed from. `GET /hung-up` answers when
(by `time.perf_counter_ns`) who read an answer hung up before its end, since it was asked last.

Run: `python -m benchmarks.mock_provider PORT BURST_TOKENS` (loopback only).
"""

import asyncio
import json
import re
import sys
import time
from functools import lru_cache
from typing import ClassVar, cast

from benchmarks.loop import runner

MARK = "~"
"""The one byte that every delta's text contains once, and nothing else in a frame does."""

BURST_TOKENS = 4
"""Deltas per write when flat out (streams take turns), if not told otherwise.

At 4 the relay and the floor reach the figures of the design's table. With 1 this process is the
bottleneck: each read of a server then holds one delta or two, which flatters all but the relay."""

GOLDEN_RATIO = 0.618034
"""Spreads the phases of paced streams evenly, however many there are."""

_MODEL = re.compile(rb'"model":\s*"[^"]*?mock-(\d+)-(\d+)"')
_LENGTH = re.compile(rb"(?i)\r\ncontent-length:\s*(\d+)")

_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)
_MODELS = b'{"object":"list","data":[{"id":"mock-5-0","object":"model"}]}'
_BEFORE = (
    b'data: {"id":"chatcmpl-mock","object":"chat.completion.chunk","created":1700000000,'
    b'"model":"mock","system_fingerprint":"fp_mock","choices":['
)


def _http_chunk(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(body), body)


def _choice_chunk(delta: bytes, finish: bytes = b"null") -> bytes:
    choice = b'{"index":0,"delta":%b,"logprobs":null,"finish_reason":%b}' % (delta, finish)
    return _http_chunk(_BEFORE + choice + b"]}\n\n")


def stamped_chunk(now_ns: int) -> bytes:
    """Return one delta as an HTTP chunk; its text is `@<now_ns>~`.

    Args:
        now_ns: `time.perf_counter_ns()`; comparable between processes of one machine.
    """
    return _choice_chunk(b'{"content":"@%d%b"}' % (now_ns, MARK.encode()))


def _plain_answer(status: bytes, body: bytes) -> bytes:
    head = b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    return head % (status, len(body)) + body


FIRST = _choice_chunk(b'{"role":"assistant","content":""}')
TOKEN = _choice_chunk(b'{"content":" word%b"}' % MARK.encode())


@lru_cache(maxsize=64)
def ending(tokens: int) -> bytes:
    """Return what follows the last delta: finish reason, usage, `[DONE]`, the last HTTP chunk."""
    usage = b'"usage":{"prompt_tokens":9,"completion_tokens":%d,"total_tokens":%d}' % (
        tokens,
        tokens + 9,
    )
    return b"".join(
        (
            _choice_chunk(b"{}", b'"stop"'),
            _http_chunk(_BEFORE + b"]," + usage + b"}\n\n"),
            _http_chunk(b"data: [DONE]\n\n"),
            b"0\r\n\r\n",
        )
    )


class Provider(asyncio.Protocol):
    """One connection of a server to the provider; answers one request after the other."""

    _opened = 0
    _hung_up_ns: ClassVar[list[int]] = []

    def __init__(self, loop: asyncio.AbstractEventLoop, burst_tokens: int) -> None:
        self._loop = loop
        self._burst_tokens = burst_tokens
        self._received = b""
        self._timer: asyncio.Handle | None = None
        self._is_paused = False
        self._left = 0
        self._tokens = 0
        self._due_s = 0.0
        self._interval_s = 0.0
        Provider._opened += 1
        self._phase = Provider._opened * GOLDEN_RATIO % 1.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport (called by the event loop)."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the answer under way (called by the event loop)."""
        del exc
        if self._left:
            self._hung_up_ns.append(time.perf_counter_ns())
        self._left = 0
        if self._timer is not None:
            self._timer.cancel()

    def pause_writing(self) -> None:
        """Hold back the next burst: the reader does not keep up (called by the event loop)."""
        self._is_paused = True

    def resume_writing(self) -> None:
        """Go on with a burst that was held back (called by the event loop)."""
        self._is_paused = False
        if self._tokens and not self._interval_s:
            self._burst()

    def data_received(self, data: bytes) -> None:
        """Answer once a request is whole (called by the event loop)."""
        self._received += data
        head_end = self._received.find(b"\r\n\r\n")
        if head_end < 0:
            return
        length = _LENGTH.search(self._received, 0, head_end)
        request_end = head_end + 4 + (int(length[1]) if length else 0)
        if len(self._received) < request_end:
            return
        request, self._received = self._received[:request_end], self._received[request_end:]
        self._answer(request)

    def _answer(self, request: bytes) -> None:
        if request.startswith(b"GET /hung-up "):
            seen = json.dumps(self._hung_up_ns).encode()
            self._hung_up_ns.clear()
            self._transport.write(_plain_answer(b"200 OK", seen))
            return
        if request.startswith(b"GET "):
            self._transport.write(_plain_answer(b"200 OK", _MODELS))
            return
        model = _MODEL.search(request)
        if model is None:
            error = b'{"error":{"message":"the model must be mock-<tokens>-<rate>","code":404}}'
            self._transport.write(_plain_answer(b"404 Not Found", error))
            return
        self._tokens = self._left = int(model[1])
        rate = int(model[2])
        self._interval_s = 1 / rate if rate else 0.0
        if not rate:
            self._burst(_HEAD + FIRST)
            return
        self._transport.write(_HEAD + FIRST)
        self._due_s = self._loop.time() + self._interval_s * self._phase
        self._timer = self._loop.call_at(self._due_s, self._tick)

    def _burst(self, before: bytes = b"") -> None:
        """Write the next deltas flat out; the next burst waits for its turn in the loop."""
        count = min(self._burst_tokens, self._left)
        self._left -= count
        if self._left:
            self._transport.write(before + TOKEN * count)
            if not self._is_paused:
                self._timer = self._loop.call_soon(self._burst)
            return
        self._transport.write(before + TOKEN * count + ending(self._tokens))
        self._tokens = 0

    def _tick(self) -> None:
        """Write one delta and set the clock for the next; late ticks are caught up with."""
        self._left -= 1
        chunk = stamped_chunk(time.perf_counter_ns())
        if self._left <= 0:
            self._transport.write(chunk + ending(self._tokens))
            self._tokens = 0
            return
        self._transport.write(chunk)
        self._due_s += self._interval_s
        self._timer = self._loop.call_at(self._due_s, self._tick)


async def serve(*, port: int, burst_tokens: int) -> None:
    """Answer on 127.0.0.1:`port` until the process is ended."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Provider(loop, burst_tokens), "127.0.0.1", port, backlog=1024
    )
    await server.serve_forever()


if __name__ == "__main__":
    runner()(serve(port=int(sys.argv[1]), burst_tokens=int(sys.argv[2])))

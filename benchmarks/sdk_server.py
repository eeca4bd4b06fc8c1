r"""A server on loopback that feeds the SDKs: raw HTTP/1.1, answers rendered beforehand.

    python -m benchmarks.sdk_server PORT

The first part of a path says what is asked for: `/flat-2000/...` is a stream of 2,000 deltas, one
event per HTTP chunk, written 64 KiB at a time; `/alone-500/...` the same, but each event by itself,
a millisecond after the other; `/answer/...` a JSON answer; all else an empty 200. A path that ends
in `/responses` gets the protocol of the `openai` package.
"""

import asyncio
import sys
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from benchmarks.sdk_wire import Kind, cut, deltas, http_chunks, json_answer

PAUSE_S: Final = 0.001
"""Between two events that are sent alone; as short as timers of an event loop are precise."""
FLAT_BYTES: Final = 65_536
_STREAM_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
)


@lru_cache(maxsize=8)
def _pieces(kind: Kind, mode: str, count: int) -> Sequence[bytes]:
    """Return the body of a stream, as it is written."""
    chunks = list(http_chunks(deltas(kind, count)))
    return cut(chunks, FLAT_BYTES) if mode == "flat" else chunks


@lru_cache(maxsize=2)
def _answer(kind: Kind, *, is_empty: bool) -> bytes:
    body = b"" if is_empty else json_answer(kind)
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    return head % len(body) + body


async def _respond(path: str, writer: asyncio.StreamWriter) -> None:
    kind: Kind = "responses" if path.endswith("/responses") else "tasks"
    mode, _, count = path.split("/")[1].partition("-")
    if mode not in {"flat", "alone"}:
        writer.write(_answer(kind, is_empty=mode != "answer"))
        return
    writer.write(_STREAM_HEAD)
    loop = asyncio.get_running_loop()
    due_s = loop.time()
    for piece in _pieces(kind, mode, int(count)):
        writer.write(piece)
        await writer.drain()
        if mode == "alone":
            due_s += PAUSE_S
            await asyncio.sleep(due_s - loop.time())


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the requests of one connection until it closes."""
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            _, _, length = head.partition("content-length:")
            if length:
                await reader.readexactly(int(length.split("\r\n", 1)[0]))
            await _respond(head.split(" ", 2)[1].partition("?")[0], writer)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        return  # the client has gone
    finally:
        writer.close()


async def main(port: int) -> None:
    """Serve until the process is ended."""
    async with await asyncio.start_server(_serve, "127.0.0.1", port, backlog=512) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))

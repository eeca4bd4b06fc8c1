"""The three SDKs that are compared, each driven through its public interface in the same way.

Runs in the process that is measured, which has one `agentlin_client`, ours or the published one,
on its path. Nothing is imported before a subject is made.
"""

from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Sequence
from importlib import import_module
from typing import Any, ClassVar, Final, Protocol

from typing_extensions import override

from benchmarks.sdk_wire import TASK_ID, Kind

EVENTS_MODULE: Final = "published_events"
"""Where the published client's process finds its event classes; see `sdk_published_events`."""
NOWHERE: Final = "http://127.0.0.1:9/v1"
"""The base URL of clients that are never to reach a network."""
QUESTION: Final = "Hello"
_SSE: Final = {"content-type": "text/event-stream"}
_JSON: Final = {"content-type": "application/json"}


class Subject(Protocol):
    """One SDK. Clients are as its constructor makes them; `web` is its HTTP library."""

    kind: ClassVar[Kind]
    web: Any

    def client(self, base_url: str = NOWHERE, http_client: Any = None) -> Any:
        """Return a blocking client."""
        ...

    def async_client(self, base_url: str = NOWHERE, http_client: Any = None) -> Any:
        """Return an async client."""
        ...

    def aiohttp_client(self) -> Any:
        """Return the `http_client` that makes an async client use aiohttp."""
        ...

    def stream(self, client: Any) -> Iterable[Any]:
        """Open a stream of events, blocking."""
        ...

    def stream_async(self, client: Any) -> Awaitable[AsyncIterable[Any]]:
        """Open a stream of events."""
        ...

    def event(self, item: Any) -> Any:
        """Return the event in what the stream yields."""
        ...

    def create(self, client: Any) -> Any:
        """Ask for one answer without a stream; awaitable if the client is async."""
        ...

    def answer_text(self, answer: Any) -> str:
        """Return the text of what `create` gave."""
        ...


class _Tasks(Subject):
    """What ours and the published client have in common."""

    kind: ClassVar[Kind] = "tasks"

    def __init__(self) -> None:
        self.web: Any = import_module("httpx")
        self._sdk: Any = import_module("agentlin_client")

    @override
    def client(self, base_url: str = NOWHERE, http_client: Any = None) -> Any:
        return self._sdk.Client(api_key="k", base_url=base_url, http_client=http_client)

    @override
    def async_client(self, base_url: str = NOWHERE, http_client: Any = None) -> Any:
        return self._sdk.AsyncClient(api_key="k", base_url=base_url, http_client=http_client)

    @override
    def aiohttp_client(self) -> Any:
        return self._sdk.DefaultAioHttpClient()

    @override
    def create(self, client: Any) -> Any:
        return client.tasks.create(stream=False, user_message_content=QUESTION)

    @override
    def answer_text(self, answer: Any) -> str:
        return answer.result.output[0].message_content[0].text


class Ours(_Tasks):
    """The SDK of this repository."""

    @override
    def stream(self, client: Any) -> Iterable[Any]:
        return client.tasks.events(TASK_ID)

    @override
    async def stream_async(self, client: Any) -> AsyncIterable[Any]:
        return await client.tasks.events(TASK_ID)

    @override
    def event(self, item: Any) -> Any:
        return item


class Published(_Tasks):
    """PyPI `agentlin-client`: its own stream class, with the event classes that it lacks."""

    def __init__(self) -> None:
        super().__init__()
        self._envelope = import_module(EVENTS_MODULE).Envelope
        self._of_envelopes = self._sdk.Stream[self._envelope]
        self._of_envelopes_async = self._sdk.AsyncStream[self._envelope]

    @override
    def stream(self, client: Any) -> Iterable[Any]:
        return client.get(
            f"/tasks/{TASK_ID}/events",
            cast_to=self._envelope,
            stream=True,
            stream_cls=self._of_envelopes,
        )

    @override
    async def stream_async(self, client: Any) -> AsyncIterable[Any]:
        return await client.get(
            f"/tasks/{TASK_ID}/events",
            cast_to=self._envelope,
            stream=True,
            stream_cls=self._of_envelopes_async,
        )

    @override
    def event(self, item: Any) -> Any:
        return item.result


class OpenAI(Subject):
    """PyPI `openai`, its Responses API: another generated SDK, of another protocol."""

    kind: ClassVar[Kind] = "responses"

    def __init__(self) -> None:
        self._sdk: Any = import_module("openai")
        library = self._sdk.DefaultHttpxClient.__mro__[1].__module__.partition(".")[0]
        self.web: Any = import_module(library)  # httpx, or what its newer versions use

    @override
    def client(self, base_url: str = NOWHERE, http_client: Any = None) -> Any:
        return self._sdk.OpenAI(api_key="k", base_url=base_url, http_client=http_client)

    @override
    def async_client(self, base_url: str = NOWHERE, http_client: Any = None) -> Any:
        return self._sdk.AsyncOpenAI(api_key="k", base_url=base_url, http_client=http_client)

    @override
    def aiohttp_client(self) -> Any:
        return self._sdk.DefaultAioHttpClient()

    @override
    def stream(self, client: Any) -> Iterable[Any]:
        return client.responses.create(model="mock", input=QUESTION, stream=True)

    @override
    async def stream_async(self, client: Any) -> AsyncIterable[Any]:
        return await client.responses.create(model="mock", input=QUESTION, stream=True)

    @override
    def event(self, item: Any) -> Any:
        return item

    @override
    def create(self, client: Any) -> Any:
        return client.responses.create(model="mock", input=QUESTION)

    @override
    def answer_text(self, answer: Any) -> str:
        return answer.output_text


SUBJECTS: Final[dict[str, Callable[[], Subject]]] = {
    "published": Published,
    "openai": OpenAI,
    "ours": Ours,
}
"""In the order in which they are measured and shown."""


def streaming(subject: Subject, chunks: Sequence[bytes]) -> Any:
    """Return a blocking client whose every answer is a stream of these chunks, in memory."""
    web = subject.web

    class Body(web.SyncByteStream):
        def __iter__(self) -> Any:
            return iter(chunks)

    def answer(_: object) -> Any:
        return web.Response(200, headers=_SSE, stream=Body())

    return subject.client(http_client=web.Client(transport=web.MockTransport(answer)))


def streaming_async(subject: Subject, chunks: Sequence[bytes]) -> Any:
    """Return an async client whose every answer is a stream of these chunks, in memory."""
    web = subject.web

    class Body(web.AsyncByteStream):
        async def __aiter__(self) -> Any:
            for chunk in chunks:
                yield chunk

    def answer(_: object) -> Any:
        return web.Response(200, headers=_SSE, stream=Body())

    return subject.async_client(http_client=web.AsyncClient(transport=web.MockTransport(answer)))


def answering(subject: Subject, body: bytes) -> Any:
    """Return a blocking client whose every answer is this JSON, in memory."""
    web = subject.web

    def answer(_: object) -> Any:
        return web.Response(200, headers=_JSON, content=body)

    return subject.client(http_client=web.Client(transport=web.MockTransport(answer)))

"""LocalModel: the `Model` port over the embedded engine, which it starts when first needed."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final, Protocol

import anyio
import anyio.from_thread
import anyio.to_thread

from agentlin_server.domain.errors import (
    ModelError,
    ModelNotFoundError,
    ModelStreamError,
    ModelUnavailableError,
)
from agentlin_server.domain.model import Chunk, Model, ModelRequest
from agentlin_server.models.local.process import Child, EngineOptions, start_child
from agentlin_server.models.local.weights import (
    KNOWN_MODELS,
    PROVIDER,
    LocalWeights,
    Progress,
    find_weights,
    list_local_models,
)

_END_NOTICED_WITHIN_S: Final = 1.0
_FIRST_TOKEN_TIMEOUT_S: Final = 1800.0  # calls wait for a free slot: minutes on a busy machine


class ModelClient(Model, Protocol):
    """A model that holds connections, to be closed in the end."""

    async def aclose(self) -> None:
        """Close the connections."""
        ...


Connect = Callable[[str, str], ModelClient]
"""Makes the client of an engine: base URL, API key -> client."""


class LocalModel:
    """The provider `local`: one child process per GGUF file in use, started at first use.

    The first call of a model fetches its weights, if it's one that agentlin knows, and
    starts the engine; calls that come meanwhile wait for the same start. (If the call
    that starts is cancelled, the next one starts anew.) An engine that died is started
    again by the next call. Engines run until `aclose`, or until this process ends,
    however it ends. To be used in one event loop.
    """

    def __init__(
        self,
        *,
        cache_dir: Path | None = None,
        options: EngineOptions | None = None,
        progress: Progress | None = None,
        connect: Connect | None = None,
    ) -> None:
        """Set up; nothing is fetched or started yet.

        Args:
            cache_dir: Folder of the weights; None is `weights.default_cache_dir()`.
            options: How engines run.
            progress: Told how far a fetch at first use is; called from another thread.
            connect: Makes the client of an engine, in place of `OpenAIModel`.
        """
        self._cache_dir = cache_dir
        self._options = options or EngineOptions()
        self._progress = progress
        self._connect = connect or _connect
        self._engines: dict[str, _Engine] = {}
        self._closed = False

    @property
    def provider(self) -> str:
        """The provider's name."""
        return PROVIDER

    def stream(
        self, request: ModelRequest
    ) -> AbstractAsyncContextManager[AsyncIterator[Sequence[Chunk]]]:
        """Call the model `request.model`, e.g. `smollm2`; see `domain.model.Model.stream`.

        Raises:
            ModelNotFoundError: neither known nor in the cache folder.
            WeightsError: the weights can't be fetched.
            ModelUnavailableError: the engine doesn't start, or ended during the call.
            ModelError: as the engine's answers say.
        """
        return self._stream(request)

    @asynccontextmanager
    async def _stream(
        self, request: ModelRequest
    ) -> AsyncGenerator[AsyncIterator[Sequence[Chunk]]]:
        running = await self._running(request.model)
        try:
            async with running.client.stream(request) as batches:
                yield batches
        except ModelStreamError as exc:  # it stays one: a call that broke is made again
            cause = await running.explain(exc)
            if running.is_shutting_down:  # nothing will start it again
                raise cause from exc
            raise ModelStreamError(str(cause), provider=PROVIDER) from exc
        except ModelUnavailableError as exc:
            raise await running.explain(exc) from exc

    async def start(self, model: str) -> int:
        """Make sure that the engine of `model` runs, without a call; return its process id.

        Raises: as `stream`.
        """
        return (await self._running(model)).child.pid

    async def aclose(self) -> None:
        """Stop all engines; calls under way fail, and so do later ones."""
        self._closed = True
        for engine in self._engines.values():
            await engine.aclose()

    async def _running(self, model: str) -> "_Running":
        if self._closed:
            raise _shut_down()
        engine = self._engines.setdefault(model, _Engine())
        return await engine.running(partial(self._start, model))

    async def _start(self, model: str) -> "_Running":
        weights = await anyio.to_thread.run_sync(self._weights, model)
        child = await start_child(weights, self._options)
        return _Running(child, self._connect(child.base_url, child.api_key))

    def _weights(self, model: str) -> LocalWeights:
        """Find the model's weights, fetch them if need be; runs in a thread."""
        found = find_weights(model, self._cache_dir)
        known = KNOWN_MODELS.get(model)
        if found and (known is None or found.size_bytes == known.size_bytes):
            return found
        if known is not None:
            from agentlin_server.models.local.pulling import pull_known  # deferred: rarely needed

            return pull_known(known, cache_dir=self._cache_dir, progress=self._tell)
        there = sorted(
            {weights.name for weights in list_local_models(self._cache_dir)} | set(KNOWN_MODELS)
        )
        raise ModelNotFoundError(
            f"there is no local model {model!r}; there are {', '.join(there)}. Fetch others with "
            "'agentlin models pull PATH | URL | hf:OWNER/REPO/FILE'",
            provider=PROVIDER,
        )

    def _tell(self, done: int, total: int | None, label: str) -> None:
        anyio.from_thread.check_cancelled()  # ends the fetch if nobody waits for it any more
        if self._progress is not None:
            self._progress(done, total, label)


class _Running:
    """An engine's process, and the client that talks to it."""

    def __init__(self, child: Child, client: ModelClient) -> None:
        self.child = child
        self.client = client
        self._shutting_down = False

    @property
    def is_shutting_down(self) -> bool:
        """True once `aclose` has begun."""
        return self._shutting_down

    async def explain(self, error: ModelError) -> ModelError:
        """Return the error that tells the cause: the process's end, if it has ended."""
        if self._shutting_down:
            return _shut_down()
        if not await self.child.has_ended_within(_END_NOTICED_WITHIN_S):
            return error
        return ModelUnavailableError(
            "the local model failed during the call; the next call starts it again: "
            + self.child.last_words(),
            provider=PROVIDER,
        )

    async def aclose(self) -> None:
        """Stop the process, then free the connections, which it has closed by then."""
        self._shutting_down = self.child.is_running
        await self.child.stop()
        await self.client.aclose()


class _Engine:
    """The place of one model's engine: at most one runs, and one start serves all who wait."""

    def __init__(self) -> None:
        self._lock = anyio.Lock()
        self._current: _Running | None = None
        self._start_scope: anyio.CancelScope | None = None
        self._closed = False

    async def running(self, start: Callable[[], Awaitable[_Running]]) -> _Running:
        """Return the engine that runs, after starting it if none does."""
        async with self._lock:
            if self._current is not None and not self._current.child.is_running:
                ended, self._current = self._current, None
                await ended.aclose()
            if self._current is None and not self._closed:
                with anyio.CancelScope() as self._start_scope:
                    self._current = await start()
            if self._current is None:
                raise _shut_down()
            return self._current

    async def aclose(self) -> None:
        """Stop the engine, also one that is just being started."""
        self._closed = True
        if self._start_scope is not None:
            self._start_scope.cancel()
        async with self._lock:
            if self._current is not None:
                ended, self._current = self._current, None
                await ended.aclose()


def _shut_down() -> ModelUnavailableError:
    return ModelUnavailableError("the local model has been shut down", provider=PROVIDER)


def _connect(base_url: str, api_key: str) -> ModelClient:
    from agentlin_server.models.openai import OpenAIModel, RetryPolicy  # deferred: heavy
    from agentlin_server.models.timeouts import ModelTimeouts

    return OpenAIModel(
        provider=PROVIDER,
        base_url=base_url,
        api_key=api_key,
        timeouts=ModelTimeouts(first_token_s=_FIRST_TOKEN_TIMEOUT_S),
        retries=RetryPolicy(retries_max=0),  # a dead engine is started anew, not waited for
        # The engine may close a kept connection just when the next call goes out on it;
        # to open one on this machine costs a tenth of a millisecond.
        headers={"Connection": "close"},
    )

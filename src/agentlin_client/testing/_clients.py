"""Clients that wait on the server's clock: what would take a retry seconds takes no time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentlin_client._async_client import AsyncClient
from agentlin_client._client import Client

if TYPE_CHECKING:
    from collections.abc import Callable

    from agentlin_client._async_transport import AsyncPool
    from agentlin_client._config import ClientConfig
    from agentlin_client._transport import Pool


def client_class(advance: Callable[[float], None]) -> type[Client]:
    """Return the class of clients that call `advance` where others sleep, copies included."""

    def sleep(seconds: float) -> None:
        advance(seconds)

    class FakeClient(Client):
        def _bind(self, config: ClientConfig, pool: Pool) -> None:
            super()._bind(config, pool)
            self._transport._sleep = sleep  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] # its only seam

    return FakeClient


def async_client_class(advance: Callable[[float], None]) -> type[AsyncClient]:
    """Return the async twin of `client_class`."""

    async def sleep(seconds: float) -> None:
        from anyio.lowlevel import checkpoint

        await checkpoint()
        advance(seconds)

    class FakeAsyncClient(AsyncClient):
        def _bind(self, config: ClientConfig, pool: AsyncPool) -> None:
            super()._bind(config, pool)
            self._transport._sleep = sleep  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] # its only seam

    return FakeAsyncClient

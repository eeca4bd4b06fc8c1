"""Reads that several want at about the same time: done once, and shared while anyone holds them."""

from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

import anyio

Key = TypeVar("Key", bound=Hashable)
Page = TypeVar("Page")


class _Reading(Generic[Page]):
    """A read under way; `page` is None if it failed."""

    def __init__(self) -> None:
        self.ended = anyio.Event()
        self.page: Page | None = None


class SharedReads(Generic[Key, Page]):
    """Gives the same page to all who ask while one of them still has it; keeps none itself.

    What a key stands for must never change, but for one thing: a page that is empty now may
    not be so later. An empty page is therefore never shared: who asks next must see for itself.
    """

    def __init__(self) -> None:
        """Begin without any."""
        self._pages: WeakValueDictionary[Key, Page] = WeakValueDictionary()
        self._reading: dict[Key, _Reading[Page]] = {}

    def __len__(self) -> int:
        """How many pages are held by someone, or are being read."""
        return len(self._pages) + len(self._reading)

    async def get(self, key: Key, read: Callable[[], Awaitable[Page]]) -> Page:
        """Return the page that someone holds or is reading, else what `read` gives."""
        while (page := self._pages.get(key)) is None:
            if (reading := self._reading.get(key)) is None:
                return await self._read(key, read)
            await reading.ended.wait()
            if reading.page is not None:
                return reading.page or await read()
        return page

    async def _read(self, key: Key, read: Callable[[], Awaitable[Page]]) -> Page:
        reading = self._reading[key] = _Reading[Page]()
        try:
            page = reading.page = await read()
        finally:
            del self._reading[key]
            reading.ended.set()
        if page:
            self._pages[key] = page
        return page

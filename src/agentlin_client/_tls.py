"""One TLS context for all clients, which reads the certificates only when they are needed.

Reading the certificates of all authorities takes longer, and more memory, than anything else that
making a client does; and a client of a local server (http://) never needs them.
"""

import os
import ssl
from collections.abc import Iterable
from functools import cache
from typing import Any, Self

import httpx

from ._errors import ClientError


def ssl_context(*, trust_env: bool = True) -> ssl.SSLContext:
    """Return the context that trusts what httpx trusts; the same object for the same answer.

    Args:
        trust_env: Whether `SSL_CERT_FILE` or `SSL_CERT_DIR`, as they are now, replace the
            authorities of the package certifi.
    """
    if not trust_env:
        return _shared(None, None)
    return _shared(os.environ.get("SSL_CERT_FILE") or None, os.environ.get("SSL_CERT_DIR") or None)


def loaded(context: ssl.SSLContext) -> ssl.SSLContext:
    """Return a context with its certificates: what one of `ssl_context` stands for, else itself.

    Raises:
        ClientError: The certificates that the environment names can't be read.
    """
    return context.loaded if isinstance(context, _LazyContext) else context


@cache
def _shared(cafile: str | None, capath: str | None) -> ssl.SSLContext:
    return _LazyContext(cafile, capath)


@cache
def _loaded(cafile: str | None, capath: str | None) -> ssl.SSLContext:
    if not (cafile or capath):
        return httpx.create_ssl_context(trust_env=False)
    try:
        return ssl.create_default_context(cafile=cafile, capath=None if cafile else capath)
    except OSError as error:  # ssl.SSLError is one
        variable = "SSL_CERT_FILE" if cafile else "SSL_CERT_DIR"
        raise ClientError(
            f"the certificates that {variable} names can't be read: {cafile or capath}: {error}"
        ) from error


class _LazyContext(ssl.SSLContext):
    """Stands for a context that is made when the first connection is to be secured.

    Every TLS implementation of Python (blocking sockets, asyncio, uvloop, anyio, trio) begins with
    `wrap_socket` or `wrap_bio`; the context's own settings are the strict ones and trust nobody, so
    that a way around them would fail safely.
    """

    _cafile: str | None
    _capath: str | None
    _protocols: list[str]

    def __new__(cls, cafile: str | None, capath: str | None) -> Self:
        context = super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)
        context._cafile, context._capath, context._protocols = cafile, capath, []
        return context

    @property
    def loaded(self) -> ssl.SSLContext:
        context = _loaded(self._cafile, self._capath)
        if self._protocols:
            context.set_alpn_protocols(self._protocols)
        return context

    def wrap_socket(self, *args: Any, **options: Any) -> ssl.SSLSocket:
        return self.loaded.wrap_socket(*args, **options)

    def wrap_bio(self, *args: Any, **options: Any) -> ssl.SSLObject:
        return self.loaded.wrap_bio(*args, **options)

    def set_alpn_protocols(self, alpn_protocols: Iterable[str]) -> None:
        self._protocols = list(alpn_protocols)

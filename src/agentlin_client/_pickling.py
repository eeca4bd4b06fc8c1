"""What is kept of a client that goes to another process: its options, and no connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._config import ClientConfig


def portable_config(config: ClientConfig, http_client: object) -> ClientConfig:
    """Return the options that a client is made of again: the key is among them.

    Args:
        config: The client's options.
        http_client: The one that the user gave it, None if there is none.

    Raises:
        TypeError: There is one: it holds connections, which can't leave the process.
    """
    if http_client is not None:
        raise TypeError(
            "a client with an http_client of yours can't be pickled, as its connections can't: "
            "make the client where it is used, or leave out http_client"
        )
    return config

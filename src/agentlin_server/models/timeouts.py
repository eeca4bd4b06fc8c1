"""How long to wait for a model provider."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelTimeouts:
    """Limits on waiting for a provider, in seconds; each > 0.

    Attributes:
        connect_s: For a connection: name, TCP, TLS.
        first_token_s: From the request to the first piece of the answer. Generous, because
            long prompts on slow machines and hidden reasoning take minutes.
        idle_s: Between two pieces. Comments that only keep the connection alive are none.

    Raises:
        ValueError: a limit is not > 0.
    """

    connect_s: float = 10.0
    first_token_s: float = 300.0
    idle_s: float = 120.0

    def __post_init__(self) -> None:
        for name in ("connect_s", "first_token_s", "idle_s"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be > 0, not {getattr(self, name)}")

"""The Python SDK of the Tasks API.

    from agentlin_client import Client

    client = Client()  # the local server; else base_url= and api_key=
    for event in client.tasks.create(stream=True, user_message_content="Hello"):
        print(event.type)

Importing the package loads nothing else: each name is fetched when it is first used (PEP 562).
"""

# Type checkers take the name for true; importing `typing` for it would double the import's cost.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from . import types as types
    from ._client import AsyncClient, Client
    from ._config import (
        DEFAULT_CONNECTION_LIMITS,
        DEFAULT_MAX_RETRIES,
        DEFAULT_TIMEOUT,
        Timeout,
    )
    from ._errors import (
        APIConnectionError,
        APIError,
        APIResponseValidationError,
        APIStatusError,
        APITimeoutError,
        AuthenticationError,
        BadRequestError,
        ClientError,
        ConflictError,
        InternalServerError,
        NotFoundError,
        PermissionDeniedError,
        RateLimitError,
        TaskResponseError,
        UnprocessableEntityError,
    )
    from ._sentinels import NOT_GIVEN, NotGiven, Omit, not_given, omit
    from ._stream import AsyncStream, Stream
    from ._version import __version__

_MODULE_OF = {
    "APIConnectionError": "_errors",
    "APIError": "_errors",
    "APIResponseValidationError": "_errors",
    "APIStatusError": "_errors",
    "APITimeoutError": "_errors",
    "AsyncClient": "_client",
    "AsyncStream": "_stream",
    "AuthenticationError": "_errors",
    "BadRequestError": "_errors",
    "Client": "_client",
    "ClientError": "_errors",
    "ConflictError": "_errors",
    "DEFAULT_CONNECTION_LIMITS": "_config",
    "DEFAULT_MAX_RETRIES": "_config",
    "DEFAULT_TIMEOUT": "_config",
    "InternalServerError": "_errors",
    "NOT_GIVEN": "_sentinels",
    "NotFoundError": "_errors",
    "NotGiven": "_sentinels",
    "Omit": "_sentinels",
    "PermissionDeniedError": "_errors",
    "RateLimitError": "_errors",
    "Stream": "_stream",
    "TaskResponseError": "_errors",
    "Timeout": "_config",
    "UnprocessableEntityError": "_errors",
    "__version__": "_version",
    "not_given": "_sentinels",
    "omit": "_sentinels",
}

__all__ = [
    "DEFAULT_CONNECTION_LIMITS",
    "DEFAULT_MAX_RETRIES",
    "DEFAULT_TIMEOUT",
    "NOT_GIVEN",
    "APIConnectionError",
    "APIError",
    "APIResponseValidationError",
    "APIStatusError",
    "APITimeoutError",
    "AsyncClient",
    "AsyncStream",
    "AuthenticationError",
    "BadRequestError",
    "Client",
    "ClientError",
    "ConflictError",
    "InternalServerError",
    "NotFoundError",
    "NotGiven",
    "Omit",
    "PermissionDeniedError",
    "RateLimitError",
    "Stream",
    "TaskResponseError",
    "Timeout",
    "UnprocessableEntityError",
    "__version__",
    "not_given",
    "omit",
    "types",
]


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name == "types":
        return import_module(".types", __name__)
    if (module := _MODULE_OF.get(name)) is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{module}", __name__), name)
    globals()[name] = value  # found without this function from now on
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

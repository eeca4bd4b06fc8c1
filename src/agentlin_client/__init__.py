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
    from . import lib as lib
    from . import testing as testing
    from . import types as types
    from ._api_response import APIResponse
    from ._async_api_response import AsyncAPIResponse
    from ._async_client import AsyncClient
    from ._async_stream import AsyncStream
    from ._client import Client
    from ._config import DEFAULT_MAX_RETRIES
    from ._defaults import DEFAULT_CONNECTION_LIMITS, DEFAULT_TIMEOUT, Timeout
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
        OutputValidationError,
        PermissionDeniedError,
        RateLimitError,
        TaskFailedError,
        TaskResponseError,
        TaskWaitTimeoutError,
        ToolArgumentsError,
        UnprocessableEntityError,
    )
    from ._files import file_from_path
    from ._http import DefaultAioHttpClient, DefaultAsyncHttpxClient, DefaultHttpxClient
    from ._models import BaseModel
    from ._options import RequestOptions
    from ._retry import Retry
    from ._sentinels import NOT_GIVEN, NoneType, NotGiven, Omit, not_given, omit
    from ._stream import Stream
    from ._version import __version__

_MODULE_OF = {
    "APIConnectionError": "_errors",
    "APIError": "_errors",
    "APIResponse": "_api_response",
    "APIResponseValidationError": "_errors",
    "APIStatusError": "_errors",
    "APITimeoutError": "_errors",
    "AsyncAPIResponse": "_async_api_response",
    "AsyncClient": "_async_client",
    "AsyncStream": "_async_stream",
    "AuthenticationError": "_errors",
    "BadRequestError": "_errors",
    "BaseModel": "_models",
    "Client": "_client",
    "ClientError": "_errors",
    "ConflictError": "_errors",
    "DEFAULT_CONNECTION_LIMITS": "_defaults",
    "DEFAULT_MAX_RETRIES": "_config",
    "DEFAULT_TIMEOUT": "_defaults",
    "DefaultAioHttpClient": "_http",
    "DefaultAsyncHttpxClient": "_http",
    "DefaultHttpxClient": "_http",
    "InternalServerError": "_errors",
    "NOT_GIVEN": "_sentinels",
    "NoneType": "_sentinels",
    "NotFoundError": "_errors",
    "NotGiven": "_sentinels",
    "Omit": "_sentinels",
    "OutputValidationError": "_errors",
    "PermissionDeniedError": "_errors",
    "RateLimitError": "_errors",
    "RequestOptions": "_options",
    "Retry": "_retry",
    "Stream": "_stream",
    "TaskFailedError": "_errors",
    "TaskResponseError": "_errors",
    "TaskWaitTimeoutError": "_errors",
    "Timeout": "_defaults",
    "ToolArgumentsError": "_errors",
    "UnprocessableEntityError": "_errors",
    "__version__": "_version",
    "file_from_path": "_files",
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
    "APIResponse",
    "APIResponseValidationError",
    "APIStatusError",
    "APITimeoutError",
    "AsyncAPIResponse",
    "AsyncClient",
    "AsyncStream",
    "AuthenticationError",
    "BadRequestError",
    "BaseModel",
    "Client",
    "ClientError",
    "ConflictError",
    "DefaultAioHttpClient",
    "DefaultAsyncHttpxClient",
    "DefaultHttpxClient",
    "InternalServerError",
    "NoneType",
    "NotFoundError",
    "NotGiven",
    "Omit",
    "OutputValidationError",
    "PermissionDeniedError",
    "RateLimitError",
    "RequestOptions",
    "Retry",
    "Stream",
    "TaskFailedError",
    "TaskResponseError",
    "TaskWaitTimeoutError",
    "Timeout",
    "ToolArgumentsError",
    "UnprocessableEntityError",
    "__version__",
    "file_from_path",
    "lib",
    "not_given",
    "omit",
    "testing",
    "types",
]


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name in {"lib", "testing", "types"}:
        return import_module(f".{name}", __name__)
    if (module := _MODULE_OF.get(name)) is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{module}", __name__), name)
    globals()[name] = value  # found without this function from now on
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

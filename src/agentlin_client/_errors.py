"""Every error that the SDK raises, one tree (contract, section 2).

    ClientError
      TaskResponseError               unwrap() of an envelope without a usable task
      TaskFailedError                 a task that did not come to the end that was asked for
      TaskWaitTimeoutError            wait() gave up; the task goes on
      OutputValidationError           an answer that is not of the type that was asked for
      ToolArgumentsError              a model called a tool in a way that does not fit it
      APIError
        APIConnectionError            no answer, or it broke off
          APITimeoutError
        APIResponseValidationError    an answer that is not of the protocol
        APIStatusError                the server answered 3xx, 4xx or 5xx; one class per status

The module imports nothing at run time, so that catching an error costs no start-up time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import httpx

    from agentlin_client.types import JsonrpcError, TaskObject

_DATA_CHARS_MAX: Final = 500
"""How much of an error's `data` its message shows; the whole is in `.body`."""


def _restore(cls: type[ClientError], args: tuple[Any, ...], state: dict[str, Any]) -> ClientError:
    error = cls.__new__(cls, *args)
    error.args = args  # __new__ of an OSError leaves that to __init__
    error.__dict__.update(state)
    return error


class ClientError(Exception):
    """Base of all errors of the SDK; raised itself if a client can't be built, saying why.

    Attributes:
        message: What happened, for people.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __reduce__(
        self,
    ) -> tuple[
        Callable[[type[ClientError], tuple[Any, ...], dict[str, Any]], ClientError],
        tuple[type[ClientError], tuple[Any, ...], dict[str, Any]],
    ]:
        # The default calls the class with `args` alone, which the keyword-only arguments defeat.
        return _restore, (type(self), self.args, self.__dict__)


class TaskResponseError(ClientError):
    """`unwrap()` of an envelope that holds an error, or no task.

    Attributes:
        error: The envelope's JSON-RPC error; None if the envelope had neither error nor result.
        task: The task that came with the error, None if none did.
    """

    def __init__(
        self, message: str, *, error: JsonrpcError | None, task: TaskObject | None = None
    ) -> None:
        super().__init__(message)
        self.error = error
        self.task = task


class TaskFailedError(ClientError):
    """A task failed, expired or was canceled where its result was wanted.

    Attributes:
        task: The task as it ended, with whatever it had put out until then.
        error: The task's own error; None for a canceled one.
    """

    def __init__(self, task: TaskObject) -> None:
        reason = "" if task.error is None else f": {describe_error(task.error)}"
        super().__init__(f"task {task.id} is {task.status}{reason}")
        self.task = task
        self.error: JsonrpcError | None = task.error


class TaskWaitTimeoutError(ClientError, TimeoutError):
    """A task had not come to its end, or to rest, in the time that `wait` was given.

    Neither a request nor the task failed: the task goes on, and can be waited for again.

    Attributes:
        task: The task as it was seen last; None if the server did not tell in time.
        timeout_s: How long was waited, in seconds.
    """

    def __init__(
        self, task: TaskObject | None, *, timeout_s: float | None, task_id: str | None = None
    ) -> None:
        name = task_id if task is None else task.id
        super().__init__(f"task {name} did not come to its end or to rest in {timeout_s} s")
        self.task = task
        self.timeout_s = timeout_s


class OutputValidationError(ClientError):
    """The answer of a task is not of the type that `structured_output` asked for.

    Attributes:
        text: The answer as it is.
        errors: Where and why it does not fit, {loc, msg, type} each; empty if it is no JSON, or
            there is no answer.
        task: The task, None where a text alone was read.
        refusal: Why the model refuses to answer, in its own words; None if it does not.
    """

    def __init__(
        self,
        message: str,
        *,
        text: str,
        errors: list[dict[str, Any]],
        task: TaskObject | None = None,
        refusal: str | None = None,
    ) -> None:
        super().__init__(message)
        self.text = text
        self.errors = errors
        self.task = task
        self.refusal = refusal


class ToolArgumentsError(ClientError):
    """A model called a tool of `tasks.run` with arguments that are not valid for it.

    Its message becomes the call's result, as it is. So a tool that finds its arguments wrong in
    another way may raise it too.
    """


class APIError(ClientError):
    """A call failed between this client and the server's answer.

    Attributes:
        request: The request as it was sent the last time.
        response: The answer, None if there was none.
        status_code: HTTP status of the answer, None if there was none.
        body: The answer's body: decoded JSON, or text if it is not JSON, or None if there is none.
        code: The JSON-RPC error code in the body, None if there is none.
        data: The JSON-RPC error's `data`, any JSON.
        request_id: The `X-Request-ID` of the answer: quote it when you report the error.
    """

    def __init__(
        self,
        message: str,
        request: httpx.Request,
        *,
        body: object = None,
        response: httpx.Response | None = None,
    ) -> None:
        super().__init__(message)
        self.request = request
        self.body = body
        self._response = response
        error = envelope_error(body)
        self.code: int | None = error["code"] if error else None
        self.data: object = error.get("data") if error else None

    @property
    def response(self) -> httpx.Response | None:
        """The answer, None if there was none."""
        return self._response

    @property
    def status_code(self) -> int | None:
        """HTTP status of the answer, None if there was none."""
        return None if self._response is None else self._response.status_code

    @property
    def request_id(self) -> str | None:
        """The `X-Request-ID` of the answer, None if there was none."""
        return None if self._response is None else self._response.headers.get("x-request-id")


class APIConnectionError(APIError):
    """The server could not be reached, or the connection broke before the answer was whole."""

    def __init__(
        self,
        *,
        message: str = "Connection error.",
        request: httpx.Request,
        response: httpx.Response | None = None,
    ) -> None:
        super().__init__(message, request, response=response)


class APITimeoutError(APIConnectionError):
    """Connecting, sending, or waiting for the next bytes of the answer took too long."""

    def __init__(
        self,
        request: httpx.Request,
        *,
        message: str = "Request timed out.",
        response: httpx.Response | None = None,
    ) -> None:
        super().__init__(message=message, request=request, response=response)


class _AnsweredError(APIError):
    """An APIError that always has a response."""

    _response: httpx.Response

    @property
    def response(self) -> httpx.Response:
        """The answer."""
        return self._response

    @property
    def status_code(self) -> int:
        """HTTP status of the answer."""
        return self._response.status_code


class APIResponseValidationError(_AnsweredError):
    """The server's answer is not what the contract promises: no JSON, or of the wrong shape."""

    def __init__(
        self, response: httpx.Response, body: object, *, message: str | None = None
    ) -> None:
        super().__init__(
            message or "The server's answer is not of the expected form.",
            response.request,
            body=body,
            response=response,
        )


class APIStatusError(_AnsweredError):
    """The server answered with an error status."""

    def __init__(self, message: str, *, response: httpx.Response, body: object) -> None:
        super().__init__(message, response.request, body=body, response=response)


class BadRequestError(APIStatusError):
    """400: the body is no JSON, or asks for what the server can't do."""


class AuthenticationError(APIStatusError):
    """401: the API key is missing or wrong."""


class PermissionDeniedError(APIStatusError):
    """403: the key, the host or the origin may not do this."""


class NotFoundError(APIStatusError):
    """404: no such task, or no such path."""


class ConflictError(APIStatusError):
    """409: the task's status does not allow it, or its id is taken by another request."""


class UnprocessableEntityError(APIStatusError):
    """422: the request is invalid; `.data` lists where and why."""


class RateLimitError(APIStatusError):
    """429: too many requests, or the server's queue is full."""


class InternalServerError(APIStatusError):
    """500 and above: the server failed or is shutting down."""


_BY_STATUS: Final[Mapping[int, type[APIStatusError]]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    422: UnprocessableEntityError,
    429: RateLimitError,
}
_SERVER_ERRORS_FROM: Final = 500


def status_error_class(status_code: int) -> type[APIStatusError]:
    """Return the class for an HTTP status that is not 2xx."""
    if status_code >= _SERVER_ERRORS_FROM:
        return InternalServerError
    return _BY_STATUS.get(status_code, APIStatusError)


def envelope_error(body: object) -> dict[str, Any] | None:
    """Return the JSON-RPC error in a decoded body, None if it has none of the right shape."""
    error: object = cast("dict[str, Any]", body).get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return None
    error = cast("dict[str, Any]", error)
    is_whole = isinstance(error.get("code"), int) and isinstance(error.get("message"), str)
    return error if is_whole else None


def describe_body(body: object) -> str:
    """Return one line on the body of a failure: the envelope's error, else the body itself.

    >>> describe_body({"error": {"code": -32001, "message": "Task not found"}})
    'Task not found (-32001)'
    """
    if (error := envelope_error(body)) is None:
        return _cut(body.strip() if isinstance(body, str) else body) if body else "no body"
    data = error.get("data")
    detail = "" if data is None else f": {_cut(data)}"
    return f"{error['message']} ({error['code']}){detail}"


def describe_error(error: object) -> str:
    """Return one line on a JSON-RPC error, even on one of a wrong shape.

    >>> describe_error("boom")
    'boom (no code)'
    """
    code = getattr(error, "code", "no code")
    return f"{_cut(getattr(error, 'message', error))} ({code})"


def _cut(value: object) -> str:
    text = str(value)
    return text if len(text) <= _DATA_CHARS_MAX else f"{text[:_DATA_CHARS_MAX]}..."

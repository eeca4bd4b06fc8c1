"""Whole answers: from bytes to a typed model, or to the error that says why not."""

import json
from typing import Any, Final, TypeVar, cast

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

from ._errors import (
    APIResponseValidationError,
    APIStatusError,
    describe_body,
    status_error_class,
)
from ._lenient import parse

ModelT = TypeVar("ModelT", bound=BaseModel)

_NO_CONTENT: Final = 204
_NO_BODY: Final = httpx.ByteStream(b"")


def is_event_stream(response: httpx.Response) -> bool:
    """Whether the answer's content type says that it is a stream of events."""
    return response.headers.get("content-type", "")[:17].lower() == "text/event-stream"


def parse_model(response: httpx.Response, cast_to: type[ModelT], *, is_strict: bool) -> ModelT:
    """Return the body of a whole answer as `cast_to`.

    White space before the JSON is fine: servers send it to keep a waiting connection alive.

    Raises:
        APIResponseValidationError: The body is no JSON object, or, if `is_strict`, one of
            another shape.
    """
    try:
        return parse(cast_to, response.content, strict=is_strict)
    except ValidationError as error:
        raise _unfit(response, cast_to.__name__, error) from error


def parse_as(response: httpx.Response, cast_to: Any, *, is_strict: bool) -> Any:
    """Return the body of a whole answer as any type: see `Verbs` for what `cast_to` may be.

    Raises:
        APIResponseValidationError: The body does not fit.
    """
    if cast_to is httpx.Response:
        return response
    if cast_to is None or cast_to is type(None):  # by `is`: a hint may have no hash
        return None
    if cast_to is bytes:
        return response.content
    if cast_to is str:
        return response.text
    if isinstance(cast_to, type) and issubclass(cast("type[Any]", cast_to), BaseModel):
        return parse_model(response, cast("type[BaseModel]", cast_to), is_strict=is_strict)
    try:
        return TypeAdapter[Any](cast_to).validate_json(response.content)
    except ValidationError as error:
        raise _unfit(response, str(cast_to), error) from error


def first_mistake(error: ValidationError) -> str:
    """Return where the first mistake is and what it is, without the text that it is in."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else first["msg"]


def status_error(response: httpx.Response) -> APIStatusError:
    """Return the error for a whole answer whose status is not 2xx."""
    body = decode_body(response)
    message = f"Error code: {response.status_code} - {describe_body(body)}"
    return status_error_class(response.status_code)(message, response=response, body=body)


def decode_body(response: httpx.Response) -> object:
    """Return the body of a whole answer: decoded JSON, else text; None if it is empty."""
    try:
        content = response.content
    except httpx.ResponseNotRead:  # a hook has closed it
        return None
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return response.text or None


def _unfit(
    response: httpx.Response, wanted: str, error: ValidationError
) -> APIResponseValidationError:
    kind = response.headers.get("content-type", "no content type")
    return APIResponseValidationError(
        response,
        decode_body(response),
        message=(
            f"The server's answer ({response.status_code}, {kind}) is no {wanted}: "
            f"{first_mistake(error)}"
        ),
    )


def forget_body(response: httpx.Response) -> None:
    """Untie a closed response from where its body came from.

    httpx ties them into a reference cycle, which would keep a hundred objects of every call until
    the garbage collector comes around.
    """
    response.stream = _NO_BODY


def check_stream(response: httpx.Response) -> None:
    """Make sure that an answer can be followed.

    Raises:
        APIResponseValidationError: It is neither a stream of events nor empty (204).
    """
    if not is_event_stream(response) and response.status_code != _NO_CONTENT:
        raise APIResponseValidationError(
            response,
            response.text,
            message=(
                "The server's answer is no stream of events but "
                f"{response.headers.get('content-type', 'of no content type')}"
            ),
        )

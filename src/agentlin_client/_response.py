"""Whole answers: from bytes to a typed model, or to the error that says why not."""

import json
from typing import TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from ._errors import (
    APIResponseValidationError,
    APIStatusError,
    describe_body,
    status_error_class,
)

ModelT = TypeVar("ModelT", bound=BaseModel)


def is_event_stream(response: httpx.Response) -> bool:
    """Whether the answer's content type says that it is a stream of events."""
    media_type = response.headers.get("content-type", "").partition(";")[0]
    return media_type.strip().lower() == "text/event-stream"


def parse_response(response: httpx.Response, cast_to: type[ModelT]) -> ModelT:
    """Return the body of a whole answer as `cast_to`.

    White space before the JSON is fine: servers send it to keep a waiting connection alive.

    Raises:
        APIResponseValidationError: The body is no JSON, or of another shape.
    """
    try:
        return cast_to.model_validate_json(response.content)
    except ValidationError as error:
        kind = response.headers.get("content-type", "no content type")
        raise APIResponseValidationError(
            response,
            decode_body(response),
            message=(
                f"The server's answer ({response.status_code}, {kind}) is no "
                f"{cast_to.__name__}: {first_mistake(error)}"
            ),
        ) from error


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
        return json.loads(response.content)
    except (ValueError, RecursionError):
        return response.text or None

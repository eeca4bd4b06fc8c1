"""The error tree: what is a kind of what, what an error carries, and that it can be pickled."""

import pickle

import httpx
import pytest

import agentlin_client as sdk
from agentlin_client._response import status_error

REQUEST = httpx.Request("GET", "http://127.0.0.1:9999/v1/tasks/t")


def answer(status: int, **content: object) -> httpx.Response:
    return httpx.Response(status, request=REQUEST, **content)  # type: ignore[arg-type]


def envelope(code: int, message: str, data: object = None) -> dict[str, object]:
    return {
        "jsonrpc": "2.0",
        "id": "req_1",
        "error": {"code": code, "message": message, "data": data},
    }


@pytest.mark.parametrize(
    ("child", "parent"),
    [
        (sdk.APIError, sdk.ClientError),
        (sdk.TaskResponseError, sdk.ClientError),
        (sdk.APIConnectionError, sdk.APIError),
        (sdk.APITimeoutError, sdk.APIConnectionError),
        (sdk.APIResponseValidationError, sdk.APIError),
        (sdk.APIStatusError, sdk.APIError),
    ],
)
def test_the_tree_is_that_of_the_contract(child: type, parent: type) -> None:
    assert issubclass(child, parent)


@pytest.mark.parametrize(
    ("status", "cls"),
    [
        (302, sdk.APIStatusError),
        (400, sdk.BadRequestError),
        (401, sdk.AuthenticationError),
        (403, sdk.PermissionDeniedError),
        (404, sdk.NotFoundError),
        (409, sdk.ConflictError),
        (413, sdk.APIStatusError),
        (422, sdk.UnprocessableEntityError),
        (429, sdk.RateLimitError),
        (500, sdk.InternalServerError),
        (503, sdk.InternalServerError),
        (599, sdk.InternalServerError),
    ],
)
def test_each_status_has_its_class(status: int, cls: type[sdk.APIStatusError]) -> None:
    error = status_error(answer(status, json=envelope(-32001, "No")))
    assert type(error) is cls
    assert error.status_code == status


def test_an_error_carries_the_request_the_answer_and_what_the_envelope_says() -> None:
    body = envelope(-32602, "Invalid params", [{"loc": ["body", "env"], "msg": "no object"}])
    response = answer(422, json=body, headers={"X-Request-ID": "req_1"})
    error = status_error(response)
    assert error.request is REQUEST
    assert error.response is response
    assert error.body == body
    assert error.code == -32602
    assert error.data == [{"loc": ["body", "env"], "msg": "no object"}]
    assert error.request_id == "req_1"
    assert str(error) == error.message
    for part in ("422", "Invalid params", "-32602", "no object"):
        assert part in error.message


def test_a_body_that_is_no_envelope_is_shown_as_it_is_and_cut_where_it_is_long() -> None:
    assert status_error(answer(502, text="<h1>Bad gateway</h1>")).message == (
        "Error code: 502 - <h1>Bad gateway</h1>"
    )
    assert status_error(answer(500)).message == "Error code: 500 - no body"
    error = status_error(answer(500, text="x" * 10_000))
    assert len(error.message) < 600
    assert error.body == "x" * 10_000


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"error": "no object"}', '{"error": {"code": 1}}']
)
def test_a_strange_body_is_still_an_error_of_its_status(text: str) -> None:
    error = status_error(answer(400, text=text))
    assert type(error) is sdk.BadRequestError
    assert error.code is None


@pytest.mark.parametrize(
    "error",
    [
        sdk.ClientError("no key"),
        sdk.TaskResponseError("no task", error=None),
        sdk.APIConnectionError(request=REQUEST),
        sdk.APITimeoutError(REQUEST),
        sdk.APIResponseValidationError(answer(200, text="?"), "?"),
        status_error(answer(404, json=envelope(-32001, "Task not found"))),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_survive_pickling(error: sdk.ClientError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    if isinstance(error, sdk.APIError):
        assert isinstance(copy, sdk.APIError)
        assert copy.request.url == error.request.url
        assert copy.status_code == error.status_code
        assert copy.body == error.body

"""Every answer is the envelope, with the request's id, at every form of its path."""

import re
from typing import Any

import httpx
import pytest

from tests.api.serving import Api

pytestmark = pytest.mark.anyio

BODY = {"user_message_content": "Hi"}


def checked(answer: httpx.Response, status: int) -> dict[str, Any]:
    """Return the envelope of an answer, which must have this status."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    envelope = answer.json()
    assert list(envelope) == ["jsonrpc", "id", "result" if status == 200 else "error"]
    assert envelope["jsonrpc"] == "2.0"
    assert answer.headers["x-request-id"] == envelope["id"]
    is_final_refusal = 400 <= status < 500 and status not in {408, 429}
    assert answer.headers.get("x-should-retry") == ("false" if is_final_refusal else None)
    return envelope


@pytest.mark.parametrize("prefix", ["/v1", ""])
@pytest.mark.parametrize("slash", ["/", ""])
async def test_every_path_is_served_with_and_without_v1_and_slash(
    api: Api, prefix: str, slash: str
) -> None:
    task = checked(await api.post(BODY, path=f"{prefix}/tasks{slash}"), 200)["result"]
    one = f"{prefix}/tasks/{task['id']}"
    assert checked(await api.get(f"{one}{slash}"), 200)["result"] == task
    assert checked(await api.get(f"{prefix}/tasks{slash}"), 200)["result"] == [task]
    assert (await api.get(f"{one}/events{slash}")).status_code == 200
    checked(await api.client.post(f"{one}/cancel{slash}"), 409)
    checked(await api.client.delete(f"{one}{slash}"), 200)
    checked(await api.get(f"{one}{slash}"), 404)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/v1"),
        ("GET", "/v2/tasks"),
        ("POST", "/v1/tasks/x/y"),
        ("GET", "/v1/tasks/x/y/z"),
        ("GET", "/v1//tasks"),
    ],
)
async def test_an_unknown_path_is_404(api: Api, method: str, path: str) -> None:
    error = checked(await api.client.request(method, path), 404)["error"]
    assert error["code"] == -32601


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v1/tasks", {"GET", "HEAD", "POST"}),
        ("DELETE", "/tasks", {"GET", "HEAD", "POST"}),
        ("POST", "/v1/tasks/task_1", {"GET", "HEAD", "DELETE"}),
        ("GET", "/v1/tasks/task_1/cancel", {"POST"}),
        ("POST", "/v1/tasks/task_1/events", {"GET", "HEAD"}),
        ("POST", "/healthz", {"GET", "HEAD"}),
        ("OPTIONS", "/v1/tasks", {"GET", "HEAD", "POST"}),
    ],
)
async def test_a_wrong_method_is_405_and_names_the_right_ones(
    api: Api, method: str, path: str, allowed: set[str]
) -> None:
    answer = await api.client.request(method, path)
    assert checked(answer, 405)["error"]["code"] == -32601
    assert set(re.split(r",\s*", answer.headers["allow"])) == allowed


@pytest.mark.parametrize("path", ["", "/cancel", "/events", "/pause", "/resume", "/tool_results"])
async def test_an_unknown_task_is_404(api: Api, path: str) -> None:
    method = "GET" if path in {"", "/events"} else "POST"
    answer = await api.client.request(method, f"/v1/tasks/task_none{path}")
    assert checked(answer, 404)["error"]["code"] == -32001
    if not path:
        checked(await api.client.delete("/v1/tasks/task_none"), 404)


async def test_the_request_id_is_the_bodys_else_the_headers_else_made(api: Api) -> None:
    both = await api.post(BODY | {"request_id": "mine"}, X_Request_ID="other")
    assert checked(both, 200)["id"] == "mine"
    assert checked(await api.post(BODY, X_Request_ID="other"), 200)["id"] == "other"
    assert re.fullmatch("req_[0-9a-f]{24}", checked(await api.post(BODY), 200)["id"])
    assert checked(await api.get("/v1/tasks/none", X_Request_ID="r"), 404)["id"] == "r"
    assert checked(await api.get("/nowhere", X_Request_ID="r"), 404)["id"] == "r"
    assert checked(await api.get("/v1/tasks", Host="evil.com", X_Request_ID="r"), 403)["id"] == "r"


async def test_an_error_after_the_body_was_read_has_the_bodys_request_id(api: Api) -> None:
    refused = await api.post({"request_id": "mine", "user_message_content": 5})
    assert checked(refused, 422)["id"] == "mine"
    canceled = await api.post({"request_id": "mine"}, path="/v1/tasks/none/cancel")
    assert checked(canceled, 404)["id"] == "mine"


async def test_a_request_id_that_no_header_can_hold_is_in_the_body_only(api: Api) -> None:
    for request_id in ("größer", "a\r\nb: c", "a\x00b"):
        answer = await api.post(BODY | {"request_id": request_id})
        assert answer.status_code == 200
        assert answer.json()["id"] == request_id
        assert "x-request-id" not in answer.headers
        assert "b" not in answer.headers


async def test_a_request_id_may_not_be_endless(api: Api) -> None:
    error = checked(await api.post(BODY | {"request_id": "r" * 513}), 422)["error"]
    assert error["data"][0]["loc"] == ["request_id"]
    assert len(checked(await api.post(BODY, X_Request_ID="r" * 5000), 200)["id"]) == 512


async def test_ids_are_the_bodys_else_the_headers_else_made(api: Api) -> None:
    headers = {"X_Task_ID": "task.h", "X_Session_ID": "s:h", "X_User_ID": "u-h", "X_Client_ID": "c"}
    from_headers = checked(await api.post(BODY, **headers), 200)["result"]
    assert from_headers["id"] == "task.h"
    assert (from_headers["session_id"], from_headers["user_id"]) == ("s:h", "u-h")
    ids = {"task_id": "t_b", "session_id": "s_b", "user_id": "u_b", "client_id": "c_b"}
    from_body = checked(await api.post(BODY | ids, **headers), 200)["result"]
    assert from_body["id"] == "t_b"
    assert (from_body["session_id"], from_body["user_id"]) == ("s_b", "u_b")
    made = await api.create()
    assert re.fullmatch("task_[0-9a-f]{24}", made["id"])
    assert re.fullmatch("sess_[0-9a-f]{24}", made["session_id"])
    assert made["user_id"] == "user_default"


async def test_an_absent_user_is_the_sessions(api: Api) -> None:
    await api.create(session_id="s", user_id="ann")
    assert (await api.create(session_id="s"))["user_id"] == "ann"
    assert (await api.create(session_id="s", user_id="bob"))["user_id"] == "bob"


@pytest.mark.parametrize("field", ["task_id", "session_id", "user_id", "client_id"])
@pytest.mark.parametrize("value", [".hidden", "a" * 129, "a b", "a/b", "ä", "a\n"])
async def test_an_id_of_other_characters_is_422(api: Api, field: str, value: str) -> None:
    error = checked(await api.post(BODY | {field: value}), 422)["error"]
    assert error["code"] == -32602
    assert [(p["loc"], p["type"]) for p in error["data"]] == [([field], "invalid_id")]


async def test_the_longest_id_is_taken_and_an_empty_one_is_none(api: Api) -> None:
    assert (await api.create(task_id="a" * 128))["id"] == "a" * 128
    assert (await api.create(task_id="", session_id="", user_id=None))["id"].startswith("task_")


@pytest.mark.parametrize("accept", ["text/plain", "image/png", "*/*;q=0", ""])
async def test_accept_never_matters(api: Api, accept: str) -> None:
    checked(await api.post(BODY, Accept=accept), 200)
    streamed = await api.post(BODY | {"stream": True}, Accept=accept)
    assert streamed.headers["content-type"].startswith("text/event-stream")


async def test_any_authorization_is_ignored(api: Api) -> None:
    for value in ("Bearer KEY", "Basic ????", "nonsense", ""):
        task = checked(await api.post(BODY, Authorization=value), 200)["result"]
        assert task["user_id"] == "user_default"


async def test_head_is_get_without_a_body(api: Api) -> None:
    task = await api.create()
    answer = await api.client.head(f"/v1/tasks/{task['id']}")
    assert answer.status_code == 200

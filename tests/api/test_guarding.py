"""Whom the server answers: requests by a loopback name, from no foreign page."""

from typing import Any

import pytest

from tests.api.serving import Api, serving
from tests.api.test_envelope import BODY, checked

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.0.0.1:9999", "localhost", "LOCALHOST:1", "[::1]", "[::1]:9999", "127.8.7.6"],
)
async def test_a_loopback_host_is_answered(api: Api, host: str) -> None:
    checked(await api.get("/v1/tasks", Host=host), 200)


@pytest.mark.parametrize(
    "host",
    [
        "evil.com", "evil.com:9999", "192.168.0.1", "127.0.0.1.evil.com", "localhost.evil.com",
        "evil.com:127.0.0.1", "0.0.0.0", "[::]", "[::ffff:8.8.8.8]", "", "@127.0.0.1", "2130706433",
    ],
)  # fmt: skip
async def test_another_host_is_403_everywhere(api: Api, host: str) -> None:
    for path in ("/v1/tasks", "/tasks/x", "/nowhere", "/healthz", "/docs", "/openapi.json"):
        answer = await api.get(path, Host=host)
        assert checked(answer, 403)["error"]["code"] == -32011


@pytest.mark.parametrize("origin", ["http://127.0.0.1", "HTTP://127.0.0.1"])
async def test_the_servers_own_pages_may_call(api: Api, origin: str) -> None:
    checked(await api.post(BODY, Origin=origin), 200)


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.com",
        "null",
        "http://127.0.0.1:3000",
        "https://127.0.0.1",
        "http://localhost",
        "",
    ],
)
async def test_pages_of_another_origin_may_not(api: Api, origin: str) -> None:
    assert checked(await api.post(BODY, Origin=origin), 403)["error"]["code"] == -32011
    assert checked(await api.get("/v1/tasks", Origin=origin), 403)["error"]["code"] == -32011
    assert checked(await api.get("/v1/tasks"), 200)["result"] == []


async def test_hosts_and_origins_can_be_configured() -> None:
    settings: dict[str, Any] = {
        "allowed_hosts": "Agents.example.com, other.example.com",
        "allowed_origins": "https://ui.example.com/,http://localhost:3000",
    }
    async with serving(**settings) as api:
        checked(await api.get("/v1/tasks", Host="agents.EXAMPLE.com:443"), 200)
        checked(await api.get("/v1/tasks", Host="other.example.com"), 200)
        checked(await api.get("/v1/tasks", Host="example.com"), 403)
        checked(await api.get("/v1/tasks", Origin="https://ui.example.com"), 200)
        checked(await api.get("/v1/tasks", Origin="http://localhost:3000"), 200)
        checked(await api.get("/v1/tasks", Origin="http://ui.example.com"), 403)


async def test_a_form_of_another_page_creates_nothing(api: Api) -> None:
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        answer = await api.client.post(
            "/v1/tasks",
            content=b'{"user_message_content":"Hi"}',
            headers={"content-type": content_type},
        )
        checked(answer, 415)
    assert checked(await api.get("/v1/tasks"), 200)["result"] == []

"""The routes about the server itself."""

import pytest

from agentlin_server.domain.errors import StorageError
from agentlin_server.store.sqlite import SqliteStore
from tests.api.serving import Api

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("path", ["/healthz", "/healthz/"])
async def test_a_server_that_lives_says_so(api: Api, path: str) -> None:
    answer = await api.get(path)
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")


async def test_a_server_that_takes_tasks_says_so(api: Api) -> None:
    answer = await api.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (200, "ready")


async def test_a_server_whose_database_fails_lives_but_is_not_ready(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_: SqliteStore) -> None:
        raise StorageError("/secret/path is full")

    monkeypatch.setattr(SqliteStore, "check", fail)
    answer = await api.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (503, "unavailable")
    assert "secret" not in answer.text
    assert (await api.get("/healthz")).status_code == 200


async def test_the_interface_is_described_to_machines_and_people(api: Api) -> None:
    for path in ("/openapi.json", "/v1/openapi.json"):
        assert (await api.get(path)).json()["openapi"].startswith("3.1")
    page = await api.get("/docs")
    assert page.headers["content-type"].startswith("text/html")

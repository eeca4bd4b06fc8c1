import anyio
import pytest

from agentlin_server.cli.connect import connect, named_server
from agentlin_server.settings import Settings

pytestmark = pytest.mark.anyio

URL = "http://127.0.0.1:1234/v1"


@pytest.mark.parametrize(
    ("server", "db", "variable", "expected"),
    [
        (None, None, None, None),
        (URL, None, "http://elsewhere", URL),
        (None, None, URL, URL),
        (None, "tasks.db", URL, None),
    ],
    ids=["nothing", "option wins", "environment", "a named database wins"],
)
def test_which_server_is_named(
    server: str | None,
    db: str | None,
    variable: str | None,
    expected: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if variable is not None:
        monkeypatch.setenv("AGENTLIN_BASE_URL", variable)
    assert named_server(server, db=db) == expected


async def test_two_at_once_on_one_database_share_a_server(db: object) -> None:
    settings = Settings.load(model="scripted/echo")
    addresses: list[str] = []
    both_connected = anyio.Event()

    async def use() -> None:
        async with connect(settings) as connection:
            addresses.append(connection.address)
            if len(addresses) == 2:
                both_connected.set()
            await both_connected.wait()

    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            group.start_soon(use)
            group.start_soon(use)
    assert len(set(addresses)) == 1

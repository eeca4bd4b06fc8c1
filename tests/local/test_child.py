"""What the child asks of the engine, which is a fake one here."""

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from agentlin_server.models.local import child
from agentlin_server.models.local.child import ChildConfig

CONFIG: ChildConfig = {
    "path": "model.gguf",
    "name": "smollm2",
    "api_key": "key",
    "n_ctx": 4096,
    "n_parallel": 2,
    "n_threads": 3,
    "output_tokens_max": 1024,
    "sampling": {"temperature": 0.2, "top_p": 0.9},
}


class FakeEngine(ModuleType):
    """Has the names of `xllamacpp` that the child uses; the server is its parameters."""

    @staticmethod
    def CommonParams() -> SimpleNamespace:  # noqa: N802 - the engine's name
        """Make parameters that have what the child doesn't set itself."""
        parts = ("model", "cpuparams", "cpuparams_batch")
        made = SimpleNamespace(**{part: SimpleNamespace() for part in parts})
        made.sampling = SimpleNamespace(temp=0.8, top_p=0.95)
        return made

    @staticmethod
    def Server(params: SimpleNamespace) -> SimpleNamespace:  # noqa: N802 - the engine's name
        """Return the parameters themselves."""
        return params


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setitem(sys.modules, "xllamacpp", FakeEngine("xllamacpp"))
    return child._serve(CONFIG)


def test_the_engine_listens_on_loopback_only_and_asks_for_the_key(asked: Any) -> None:
    assert (asked.hostnames, asked.port, asked.api_keys) == (["127.0.0.1"], 0, ["key"])
    assert not asked.ui


def test_every_slot_has_the_whole_context_to_itself(asked: Any) -> None:
    assert (asked.n_ctx, asked.n_parallel, asked.kv_unified) == (8192, 2, False)


def test_threads_limits_and_sampling_are_as_told(asked: Any) -> None:
    assert asked.cpuparams.n_threads == asked.cpuparams_batch.n_threads == 3
    assert asked.n_predict == 1024
    assert (asked.sampling.temp, asked.sampling.top_p) == (0.2, 0.9)


def test_sampling_that_is_not_told_is_the_engines_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "xllamacpp", FakeEngine("xllamacpp"))
    params = child._serve({**CONFIG, "sampling": {}})
    assert (params.sampling.temp, params.sampling.top_p) == (0.8, 0.95)

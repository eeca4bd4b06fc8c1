"""A server in memory, for the tests of programs that use an agentlin server.

    from agentlin_client.testing import FakeServer, call, say

    server = FakeServer()
    server.on("weather", [call("get_weather", {"city": "Rome"}), say("It is 18 degrees.")])
    client = server.client()

With pytest, the fixtures `agentlin_server`, `agentlin_client` and `agentlin_async_client` are
there without an import. Importing the package loads nothing else (PEP 562).
"""

# Type checkers take the name for true; importing `typing` for it would double the import's cost.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from ._requests import RecordedRequest
    from ._server import FakeServer
    from ._task import FakeTask
    from ._transport import FakeTransport
    from .steps import (
        ScriptError,
        Step,
        Steps,
        TaskSoFar,
        call,
        cut,
        delay,
        event,
        expire,
        fail,
        hang,
        parallel,
        refuse,
        say,
        say_json,
        think,
        tokens,
    )

_MODULE_OF = {
    "FakeServer": "_server",
    "FakeTask": "_task",
    "FakeTransport": "_transport",
    "RecordedRequest": "_requests",
    "ScriptError": "steps",
    "Step": "steps",
    "Steps": "steps",
    "TaskSoFar": "steps",
    "call": "steps",
    "cut": "steps",
    "delay": "steps",
    "event": "steps",
    "expire": "steps",
    "fail": "steps",
    "hang": "steps",
    "parallel": "steps",
    "refuse": "steps",
    "say": "steps",
    "say_json": "steps",
    "think": "steps",
    "tokens": "steps",
}

__all__ = [
    "FakeServer",
    "FakeTask",
    "FakeTransport",
    "RecordedRequest",
    "ScriptError",
    "Step",
    "Steps",
    "TaskSoFar",
    "call",
    "cut",
    "delay",
    "event",
    "expire",
    "fail",
    "hang",
    "parallel",
    "refuse",
    "say",
    "say_json",
    "think",
    "tokens",
]


def __getattr__(name: str) -> object:
    from importlib import import_module

    if (module := _MODULE_OF.get(name)) is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{module}", __name__), name)
    globals()[name] = value  # found without this function from now on
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

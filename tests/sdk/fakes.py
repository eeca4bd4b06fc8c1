"""A `FakeServer` and one of its clients, blocking or async, behind one face."""

from collections.abc import Iterator, Sequence
from typing import Any

from agentlin_client.testing import FakeServer, FakeTask, Steps
from agentlin_client.types import UnknownContentItem, UnknownEvent, UnknownItem
from agentlin_client.types._adapters import decode_event
from agentlin_client.types.fold import TaskFold
from agentlin_client.types.order import OrderValidator
from tests.sdk.conftest import Sdk


class Fake(Sdk):
    """One server, and clients of it."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind, None)  # type: ignore[arg-type] - there is no socket
        self.fake = FakeServer(patience_s=0.05)

    def client(self, **options: Any) -> Any:
        make = self.fake.client if self.kind == "sync" else self.fake.async_client
        client = make(**options)
        self._clients.append(client)
        return client

    async def create(self, steps: Steps = None, **params: Any) -> Any:
        """Create a task that follows `steps`, and return it as it is answered."""
        if steps is not None:
            self.fake.script(steps)
        given = {"stream": False, "user_message_content": "Hello"} | params
        created = await self.done(self.client().tasks.create(**given))
        return created if given["stream"] else created.unwrap()

    async def events(self, steps: Steps = None, **params: Any) -> list[Any]:
        """Create a task that follows `steps`, and return what is streamed of it."""
        events: list[Any] = []
        await self.drain(await self.create(steps, stream=True, **params), events)
        return events


def types_of(task: FakeTask) -> list[str]:
    """Return the types of a task's events, without `task.` and with runs of deltas as one."""
    types = [event["type"].removeprefix("task.") for event in task.events]
    return [kind for kind, after in zip(types, [*types[1:], ""], strict=True) if kind != after]


def items_of(task: FakeTask) -> list[tuple[str, str, Any]]:
    """Return id, status and text (or arguments) of each item of a task."""
    return [(item["id"], item["status"], _text(item)) for item in task.snapshot()["output"]]


def check_logs(tasks: Sequence[FakeTask]) -> None:
    """Check each log with the validator and the fold, and each event with its type."""
    for task in tasks:
        validator, fold = OrderValidator(), TaskFold()
        for event in task.events:
            validator.check(event)
            fold.apply(event)
            if event.get("task") is not None:
                assert event["task"] == {
                    name: value for name, value in fold.snapshot().items() if name != "rollouts"
                }
            decoded = decode_event(event)
            assert isinstance(decoded, UnknownEvent) == event["type"].startswith("task.new.")
            assert not list(_unknown(decoded))
        assert {**fold.snapshot(), "pause_requested": None} == {
            **task.snapshot(),
            "pause_requested": None,
        }


def _unknown(event: Any) -> Iterator[object]:
    for value in (getattr(event, "item", None), getattr(event, "part", None)):
        if isinstance(value, UnknownItem | UnknownContentItem):
            yield value


def _text(item: dict[str, Any]) -> Any:
    if item["type"] == "tool_call":
        return item["arguments"]
    parts = item["content"] if item["type"] == "reasoning" else item["message_content"]
    return "".join(part.get("text", f"<{part['type']}>") for part in parts)

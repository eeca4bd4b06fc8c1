"""The ledger's tools: what is on disk at each moment, canceled or not."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest

from agentlin_server.domain.tool import Effect, ToolInvocation
from agentlin_server.tools.ledger import (
    FILE_NAME,
    Entry,
    Ledger,
    LedgerReader,
    LedgerWriter,
    ToolArgumentsError,
    ledger_tools,
)

pytestmark = pytest.mark.anyio


def call(call_id: str = "c", **arguments: Any) -> ToolInvocation:
    return ToolInvocation(task_id="t", call_id=call_id, arguments=arguments)


def lines(folder: Path) -> list[Mapping[str, Any]]:
    path = folder / FILE_NAME
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def writer(ledger: Ledger, **more: Any) -> LedgerWriter:
    return LedgerWriter(name="w", description="", effect=Effect.UNSAFE, ledger=ledger, **more)


async def test_an_execution_leaves_a_line_at_its_begin_and_one_at_its_end(tmp_path: Path) -> None:
    record, _, _ = ledger_tools(tmp_path)
    assert await record.run(call(text="a seat")) == [
        {"type": "text", "text": "Written to the ledger: a seat"}
    ]
    line = {"tool": "ledger_record", "idempotency_key": "t:c", "text": "a seat"}
    assert lines(tmp_path) == [line | {"phase": "begun"}, line | {"phase": "ended"}]


async def test_each_line_is_synced_before_anything_else_happens(tmp_path: Path) -> None:
    happened: list[str] = []
    folder = tmp_path / "new" / "folder"

    def sync(descriptor: int) -> None:
        os.fsync(descriptor)
        phases = [str(line["phase"]) for line in lines(folder)]
        is_folder = os.fstat(descriptor).st_ino == folder.stat().st_ino
        happened.append("folder" if is_folder else f"after {' and '.join(phases)}")

    async def sleep(delay_s: float) -> None:
        happened.append(f"waits {delay_s}")

    await writer(Ledger(folder, sync=sync), sleep=sleep).run(call(text="x", delay_s=2))
    assert happened == ["after begun", "folder", "waits 2.0", "after begun and ended"]


async def test_a_call_canceled_between_its_lines_has_begun_and_not_ended(tmp_path: Path) -> None:
    is_waiting = anyio.Event()

    async def sleep(_: float) -> None:
        is_waiting.set()
        await anyio.sleep_forever()

    tool = writer(Ledger(tmp_path), sleep=sleep)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(tool.run, call(text="x", delay_s=60))
            await is_waiting.wait()
            group.cancel_scope.cancel()
    assert [line["phase"] for line in lines(tmp_path)] == ["begun"]
    assert Ledger(tmp_path).entries() == [Entry("w", "t:c", "x", begun=1, ended=0)]


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ({}, "missing required field `text`"),
        ({"text": 1}, "`text`"),
        ({"text": "x", "delay_s": 61}, "`delay_s`"),
        ({"text": "x", "delay_s": -1}, "`delay_s`"),
        ({"text": "x", "delay_s": "long"}, "`delay_s`"),
        ({"text": "x", "dely_s": 1}, "`dely_s`"),
    ],
)
async def test_wrong_arguments_are_named_and_nothing_is_written(
    arguments: dict[str, Any], fault: str, tmp_path: Path
) -> None:
    record, _, _ = ledger_tools(tmp_path)
    with pytest.raises(ToolArgumentsError, match=r"^ledger_record: ") as raised:
        await record.run(call(**arguments))
    assert fault in str(raised.value)
    assert lines(tmp_path) == []


async def test_the_reader_says_how_often_each_call_was_executed(tmp_path: Path) -> None:
    record, save, read = ledger_tools(tmp_path)
    assert (await read.run(call()))[0]["text"] == "The ledger is empty."
    await record.run(call(text="once"))
    for _ in range(2):
        await save.run(call("d", text="twice"))
    assert (await read.run(call()))[0]["text"] == (
        "ledger_record: once (begun 1, ended 1)\nledger_save: twice (begun 2, ended 2)"
    )
    with pytest.raises(ToolArgumentsError, match="ledger_read"):
        await read.run(call(page=2))


async def test_a_file_that_is_no_ledger_is_an_error_not_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text('{"hello": 1}\n')
    with pytest.raises(ValueError, match="hello"):
        await LedgerReader(Ledger(tmp_path)).run(call())


def test_each_tool_says_what_it_does_to_the_world(tmp_path: Path) -> None:
    effects = {tool.name: tool.effect for tool in ledger_tools(tmp_path)}
    assert effects == {
        "ledger_record": Effect.UNSAFE,
        "ledger_save": Effect.IDEMPOTENT,
        "ledger_read": Effect.READ,
    }

"""Every finished model call leaves a rollout row and its item rows; secrets are taken out."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from agentlin_server.agent.spec import AgentSpec
from agentlin_server.models.script import Fail, Reasoning, Text, ToolCall
from tests.engine.harness import SECRET, says, scripted, serving
from tests.requirements import requirement

pytestmark = pytest.mark.anyio


@requirement("rollout.every-call")
async def test_a_row_per_call_refers_to_what_the_call_saw_and_made() -> None:
    model = scripted([[Reasoning("hm"), ToolCall("look")], says("ok")])
    spec = AgentSpec(model="scripted/m", developer_prompt="Be brief.", sampling={"top_p": 0.5})
    async with serving(model) as service:
        before = await service.submit("1", session="s", spec=spec)
        await service.ended(before)
        model._choose = scripted([[Text("cut"), Fail("stream")], says("b")])._choose
        task = await service.submit("2", session="s")
        ended = await service.ended(task)
        first, second = await service.store.rollouts(before.pk)
        broken, again = await service.store.rollouts(task.pk)
    assert first.appended == ["prompt", "user"]
    assert (first.n, first.parent_n, first.step, first.attempt) == (0, None, 1, 1)
    assert (first.finish_reason, first.purpose, first.model) == (
        "tool_calls", "answer", "scripted/m",
    )  # fmt: skip
    assert json.loads(first.sampling) == {"top_p": 0.5}
    assert (second.n, second.parent_n, second.step) == (1, 0, 2)
    call, result = second.appended
    assert call == f"i:{first.output[1]}"
    assert result.startswith("i:tr_")
    assert broken.appended == ["prompt", f"t:{before.id}", "user"]
    assert (broken.attempt, broken.output) == (1, [ended["output"][0]["id"]])
    assert broken.finish_reason is None
    assert (again.parent_n, again.appended) == (0, [])
    assert (again.attempt, again.output) == (2, [ended["output"][1]["id"]])
    assert again.usage is not None


@requirement("rollout.every-call")
async def test_a_secret_in_the_sampling_arguments_is_not_recorded() -> None:
    spec = AgentSpec(model="scripted/m", sampling={"user": f"Bearer {SECRET}", "seed": 1})
    model = scripted([says("x")])
    async with serving(model) as service:
        task = await service.submit(spec=spec)
        await service.ended(task)
        (row,) = await service.store.rollouts(task.pk)
    assert SECRET.encode() not in row.sampling
    assert json.loads(row.sampling)["seed"] == 1
    assert SECRET in str(model.requests[0].sampling), "the model gets what it was sent"


def item_rows(path: Path) -> list[dict[str, Any]]:
    with sqlite3.connect(path) as db:
        db.row_factory = sqlite3.Row
        rows = [dict(row) for row in db.execute("SELECT * FROM item ORDER BY task_pk, ord")]
    db.close()
    return rows


async def test_the_item_rows_are_the_tasks_output(tmp_path: Path) -> None:
    path = tmp_path / "tasks.db"
    model = scripted([
        [Reasoning("hm"), Text("x"), Fail("stream")],
        [Reasoning("ha"), Text("y"), ToolCall("look"), ToolCall("look")],
        says("done"),
    ])  # fmt: skip
    async with serving(model, path=path) as service:
        ended = await service.run()
    rows = item_rows(path)
    assert [row["ord"] for row in rows] == list(range(len(rows)))
    fields = ("id", "type", "status", "call_id", "supersedes")
    assert [tuple(row[field] for field in fields) for row in rows] == [
        tuple(item.get(field) for field in fields) for item in ended["output"]
    ]
    assert [row["attempt"] for row in rows] == [item.get("attempt", 1) for item in ended["output"]]

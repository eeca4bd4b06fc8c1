"""Rollouts come back as they were recorded."""

import pytest

from agentlin_server.domain.ports import Store
from tests.requirements import requirement
from tests.store.rows import done, item, rollout, started

pytestmark = pytest.mark.anyio


@requirement("rollout.every-call")
async def test_rollouts_come_back_in_order_as_they_were_recorded(store: Store) -> None:
    writer = await started(store)
    rows = [
        rollout(0, appended=["prompt", "t:task_0", "user"], usage=None, finish_reason=None),
        rollout(1, tools=b'[{"type":"function"}]', logprobs=b"\x00\xff", attempt=2),
        rollout(2, parent_n=None, model="m \u00fc", sampling=b"{}"),
    ]
    for n, row in enumerate(rows):
        await writer.append(done(writer.seq, f"msg_{n}"), items=[item(n, f"msg_{n}")], rollout=row)
    assert await store.rollouts(writer.pk) == rows
    other = await started(store)
    assert await store.rollouts(other.pk) == []

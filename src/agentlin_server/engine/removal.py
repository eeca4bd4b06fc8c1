"""Removing tasks for good: their rows, and whoever still reads them."""

from agentlin_server.domain.ids import TaskPk
from agentlin_server.domain.ports import Store
from agentlin_server.engine.hub import Hub


async def remove_task(store: Store, hub: Hub, pk: TaskPk, *, reserved_until: float) -> None:
    """Remove a task with its children and end their readers; ids and keys stay taken for a while.

    Raises:
        StorageError: the database refused it; nothing was removed.
    """
    deleted = await store.delete(pk, reserved_until=reserved_until)
    for one in deleted.pks:
        hub.close(one)

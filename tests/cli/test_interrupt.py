import os
import signal

import anyio
import pytest

from agentlin_server.cli.interrupt import Interrupt

pytestmark = pytest.mark.anyio


async def test_the_first_signal_is_told_and_the_second_leaves() -> None:
    interrupt = Interrupt()
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            await group.start(interrupt.watch)
            with interrupt.scope:
                os.kill(os.getpid(), signal.SIGINT)
                await interrupt.first.wait()
                assert not interrupt.scope.cancel_called
                os.kill(os.getpid(), signal.SIGTERM)
                await anyio.sleep_forever()
            group.cancel_scope.cancel()
    assert interrupt.scope.cancelled_caught

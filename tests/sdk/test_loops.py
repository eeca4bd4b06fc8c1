"""One AsyncClient, several event loops."""

import asyncio
import threading

import pytest

from agentlin_client import AsyncClient, ClientError
from tests.sdk import wire
from tests.sdk.conftest import KEY
from tests.sdk.server import WAIT_S, Server


async def _status(client: AsyncClient) -> str:
    return (await client.tasks.retrieve("t")).unwrap().status


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # of the loop that has ended
def test_a_client_goes_on_in_a_second_loop_after_the_first_has_ended(server: Server) -> None:
    server.script(*[wire.answer(wire.task())] * 3)
    client = AsyncClient(api_key=KEY, base_url=server.base_url)
    assert asyncio.run(_status(client)) == "completed"

    async def twice() -> list[str]:
        async with client:
            return [await _status(client), await _status(client)]

    assert asyncio.run(twice()) == ["completed"] * 2
    assert server.connections_accepted == 2
    assert client.is_closed


def test_a_client_of_a_loop_that_still_runs_is_refused_in_another(server: Server) -> None:
    server.script(wire.answer(wire.task()))
    client = AsyncClient(api_key=KEY, base_url=server.base_url)

    async def main() -> None:
        await _status(client)
        errors: list[BaseException] = []

        def elsewhere() -> None:
            try:
                asyncio.run(_status(client))
            except ClientError as error:
                errors.append(error)

        thread = threading.Thread(target=elsewhere)
        thread.start()
        await asyncio.to_thread(thread.join, WAIT_S)
        assert "another event loop" in str(errors[0])
        await client.close()

    asyncio.run(main())

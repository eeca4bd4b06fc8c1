"""The tests' own guard: nothing outside of this machine can be reached by mistake."""

import socket
import sys

import pytest


# The event is raised by hand: if the guard were broken, a real attempt would go out.
@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "example.com", ""])
def test_a_connection_to_another_machine_is_refused(host: str) -> None:
    with pytest.raises(PermissionError, match="loopback"):
        sys.audit("socket.connect", None, (host, 443))


@pytest.mark.parametrize(
    "address", [("127.0.0.1", 9), ("::1", 9, 0, 0), ("localhost", 9), "/run/some.socket"], ids=str
)
def test_loopback_and_local_sockets_are_not(address: object) -> None:
    sys.audit("socket.connect", None, address)


def test_the_guard_sees_every_socket_of_this_process() -> None:
    seen: list[object] = []
    listening = True

    def record(event: str, args: tuple[object, ...]) -> None:
        if listening and event == "socket.connect":
            seen.append(args[1])

    sys.addaudithook(record)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        socket.create_connection(address, timeout=5).close()
    listening = False
    assert seen == [address]

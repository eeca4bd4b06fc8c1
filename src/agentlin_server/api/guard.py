"""A browser is no trusted caller: which Host and Origin this server answers.

Without keys anyone who can reach the server may use it, also a web page that the user
happens to visit: by a name that resolves to 127.0.0.1 (DNS rebinding), or by a request
from a foreign origin. Both are refused (contract, section 3).
"""

from collections.abc import Collection
from ipaddress import ip_address

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from agentlin_server.api.envelope import fault_response, request_id_of
from agentlin_server.api.faults import ForbiddenCallerError, to_fault


class Guard:
    """ASGI middleware that refuses foreign Hosts and Origins."""

    def __init__(
        self, app: ASGIApp, *, allowed_hosts: Collection[str], allowed_origins: Collection[str]
    ) -> None:
        """Guard `app`.

        Args:
            app: What is guarded.
            allowed_hosts: Host names besides the loopback ones, without port.
            allowed_origins: Origins besides the server's own, e.g. `https://ui.example.com`.
        """
        self._app = app
        self._hosts = frozenset(host.lower() for host in allowed_hosts)
        self._origins = frozenset(origin.lower().rstrip("/") for origin in allowed_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 403."""
        if scope["type"] == "http" and (reason := self._refusal(scope)) is not None:
            request = Request(scope, receive)
            fault = to_fault(ForbiddenCallerError(reason))
            response = fault_response(request_id_of(request), fault)
            await response(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> str | None:
        host, origin = "", None
        for name, value in scope["headers"]:
            if name == b"host":
                host = value.decode("latin-1").lower()
            elif name == b"origin":
                origin = value.decode("latin-1").lower()
        hostname = _without_port(host)
        if not (is_loopback_name(hostname) or hostname in self._hosts):
            return (
                f"the Host {hostname[:100]!r} is not one that this server answers: "
                "use 127.0.0.1, or add it to AGENTLIN_ALLOWED_HOSTS"
            )
        if origin is None or origin in self._origins or origin == f"{scope['scheme']}://{host}":
            return None
        return (
            f"requests from the origin {origin[:100]!r} are not answered: "
            "add it to AGENTLIN_ALLOWED_ORIGINS"
        )


def is_loopback_name(hostname: str) -> bool:
    """True for `localhost` and loopback addresses."""
    if hostname == "localhost":
        return True
    try:
        return ip_address(hostname).is_loopback
    except ValueError:
        return False


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]

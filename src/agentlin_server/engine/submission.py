"""From an accepted request to the rows of a new task."""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from agentlin_server.agent.spec import AgentSpec, hash_of
from agentlin_server.domain.events import encode_json
from agentlin_server.domain.ids import DEFAULT_USER, SessionId, TaskId, Tenant, UserId, new_id
from agentlin_server.domain.records import NewTask, OnBusy, Reservation
from agentlin_server.engine.limits import EngineLimits

_RETRY_WINDOW_S: Final = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A create request, validated and resolved.

    Attributes:
        task_id: The client's own id, None to make one; likewise `session_id`.
        user_id: None for the session's user.
        caller: Who asks, for telling retries apart: key or address, never stored in the clear.
        canonical_body: The body in canonical form, without what may differ between retries.
        on_busy: What happens if the session has unfinished tasks.
        timeout_s: Seconds after which the task expires; None for the server's own limit.
        idempotency_key: The header's value.
        retry_count: How often the client says it has tried before.
    """

    tenant: Tenant
    task_id: TaskId | None
    session_id: SessionId | None
    user_id: UserId | None
    client_id: str | None
    spec: AgentSpec
    user_message_content: Any
    history_messages: Sequence[Mapping[str, Any]] = ()
    thought_messages: Sequence[Mapping[str, Any]] = ()
    metadata: Mapping[str, Any] | None = None
    on_busy: OnBusy = OnBusy.DEFAULT
    timeout_s: float | None = None
    caller: str
    canonical_body: bytes
    idempotency_key: str | None = None
    retry_count: int = 0

    @property
    def request(self) -> dict[str, Any]:
        """What is stored of the request's messages."""
        stored: dict[str, Any] = {"user_message_content": self.user_message_content}
        if self.history_messages:
            stored["history_messages"] = list(self.history_messages)
        if self.thought_messages:
            stored["thought_messages"] = list(self.thought_messages)
        return stored


def to_new_task(
    wanted: Submission,
    *,
    secret: bytes,
    at: float,
    owner: str,
    may_start: bool,
    limits: EngineLimits,
) -> NewTask:
    """Return the task to create; its first events are still missing.

    Keys and bodies are kept as HMACs under `secret` only.
    """
    body_hmac = _hmac(secret, b"body", wanted.canonical_body)
    if wanted.idempotency_key is not None:
        key = _hmac(secret, b"key", wanted.idempotency_key.encode())
        idempotency = Reservation(route="create", key=key)
        is_repeat = True
    else:
        # Published clients send no key, but say when they try again.
        key = _hmac(secret, b"retry", wanted.caller.encode(), body_hmac.encode())
        idempotency = Reservation(route="retry", key=key, expires_at=at + _RETRY_WINDOW_S)
        is_repeat = wanted.retry_count > 0
    spec = encode_json(wanted.spec)
    timeout_s = limits.timeout_s if wanted.timeout_s is None else wanted.timeout_s
    return NewTask(
        tenant=wanted.tenant,
        id=wanted.task_id or TaskId(new_id("task_")),
        user_id=wanted.user_id,
        fallback_user_id=DEFAULT_USER,
        client_id=wanted.client_id,
        session_id=wanted.session_id or SessionId(new_id("sess_")),
        spec_hash=hash_of(spec),
        spec=spec,
        request=encode_json(wanted.request),
        metadata=None if wanted.metadata is None else encode_json(wanted.metadata),
        body_hmac=body_hmac,
        idempotency=idempotency,
        is_repeat=is_repeat,
        at=at,
        owner=owner,
        may_start=may_start,
        waiting_max=limits.waiting_max,
        on_busy=wanted.on_busy,
        deadline_at=None if timeout_s is None else at + timeout_s,
        events_if_started=(),
        events_if_queued=(),
    )


def _hmac(secret: bytes, *parts: bytes) -> str:
    mac = hmac.new(secret, digestmod="sha256")
    for part in parts:  # each with its length, so that no two lists of parts are alike
        mac.update(b"%d:" % len(part) + part)
    return mac.hexdigest()

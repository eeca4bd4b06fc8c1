"""The routes below /tasks."""

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol, cast

import msgspec
from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from agentlin_client.types.task_create_params import TaskCreateBody, ToolResultsParams
from agentlin_server.agent.spec import AgentSpec, resolve
from agentlin_server.api import answers, continuation, identity, params, resume
from agentlin_server.api.body import read_object
from agentlin_server.api.connection import LOOK_EVERY_S
from agentlin_server.api.envelope import bare_response, id_header, request_id_of, result_response
from agentlin_server.api.settled import KEEP_ALIVE_S, SettledTask
from agentlin_server.api.sse import HEARTBEAT_S, EventStream
from agentlin_server.domain.errors import InvalidRequestError, TaskNotFoundError
from agentlin_server.domain.events import Json, encode_json
from agentlin_server.domain.ids import LOCAL_TENANT, SessionId, TaskId, UserId
from agentlin_server.domain.ports import Store
from agentlin_server.domain.records import OnBusy, TaskFilter, TaskRow
from agentlin_server.domain.status import RESTING, TERMINAL, Status
from agentlin_server.engine.answers import ToolAnswer
from agentlin_server.engine.encode import snapshot_json
from agentlin_server.engine.engine import Engine
from agentlin_server.engine.reader import TaskReader
from agentlin_server.engine.submission import Submission

log = logging.getLogger(__name__)

_NOT_CANONICAL: Final = frozenset({"request_id", "stream", "background"})
_LIST_LIMIT_MAX: Final = 100
_LIST_LIMIT_DEFAULT: Final = 10
_LIMIT_DIGITS_MAX: Final = 3
_IDEMPOTENCY_KEY_CHARS_MAX: Final = 256
_encode_canonical: Final = msgspec.json.Encoder(order="sorted").encode


class Control(Protocol):
    """Something that is done to a task."""

    async def __call__(self, task: TaskRow, *, actor: str) -> TaskRow:
        """Do it, and return the task's row after it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRoutes:
    """Handlers of all task routes; each takes a request and returns the response.

    Attributes:
        engine: Does it.
        reader: Reads tasks.
        store: Finds tasks.
        default_agent: The agent of requests that bring none.
        full_model_name: From a bare model name to `provider/model`, so that the frozen agent
            means the same model under other settings.
        body_size_max: Bytes that a body may have.
        keep_alive_s: Seconds between signs of life of a long create.
        heartbeat_s: Seconds between signs of life of a stream.
    """

    engine: Engine
    reader: TaskReader
    store: Store
    default_agent: AgentSpec
    full_model_name: Callable[[str], str]
    body_size_max: int
    keep_alive_s: float = KEEP_ALIVE_S
    heartbeat_s: float = HEARTBEAT_S

    async def create(self, request: Request) -> Response | ASGIApp:
        """`POST /tasks`: make a task; wait for it, stream it, or neither."""
        body = await read_object(request, size_max=self.body_size_max, required=True)
        request_id = request_id_of(request, body)
        wanted = params.checked(body)
        if (retries := identity.retry_count_of(request)) > 0:
            log.info("request %s is the client's retry number %d", request_id, retries)
        submission = self._submission(request, body, wanted)
        continued = await continuation.find(
            wanted,
            tenant=submission.tenant,
            session_id=submission.session_id,
            store=self.store,
            reader=self.reader,
        )
        if continued is not None:
            return await self._answer(request, continued.task, continued.answers, wanted)
        task, _ = await self.engine.submit(submission)
        return await self._followed(task, request_id, wanted, after_seq=-1)

    async def retrieve(self, request: Request) -> Response:
        """`GET /tasks/{task_id}`: the task as it is now."""
        task = await self._find(request)
        return await self._task_response(task, request_id_of(request))

    async def list(self, request: Request) -> Response:
        """`GET /tasks`: one page of tasks, newest first."""
        tasks = await self.store.list(_filter(request))
        page: list[bytes] = []
        for task in tasks:
            with suppress(TaskNotFoundError):  # deleted meanwhile
                page.append(snapshot_json(await self.reader.snapshot(task)))
        return result_response(request_id_of(request), b"[" + b",".join(page) + b"]")

    async def cancel(self, request: Request) -> Response:
        """`POST /tasks/{task_id}/cancel`: stop it, durably; answers once it has stopped."""
        return await self._control(request, self.engine.cancel)

    async def pause(self, request: Request) -> Response:
        """`POST /tasks/{task_id}/pause`: record that it shall rest; answers at once."""
        return await self._control(request, self.engine.pause)

    async def resume(self, request: Request) -> Response:
        """`POST /tasks/{task_id}/resume`: let it go on, or withdraw a pause."""
        return await self._control(request, self.engine.resume)

    async def tool_results(self, request: Request) -> Response | ASGIApp:
        """`POST /tasks/{task_id}/tool_results`: answer its calls; then as a create answers."""
        body = await read_object(request, size_max=self.body_size_max, required=False)
        request_id_of(request, body)
        task = await self._find(request)
        wanted = answers.checked(body)
        given = [answers.of_item(result) for result in wanted["tool_results"]]
        return await self._answer(request, task, given, wanted)

    async def delete(self, request: Request) -> Response:
        """`DELETE /tasks/{task_id}`: stop it if need be, then remove it."""
        task = await self._find(request)
        snapshot = await self.engine.delete(task, actor=identity.actor_of(request))
        return result_response(request_id_of(request), encode_json(snapshot))

    async def events(self, request: Request) -> Response | ASGIApp:
        """`GET /tasks/{task_id}/events`: the events from any point on, as they come."""
        task = await self._find(request)
        request_id = request_id_of(request)
        until_final = _until_final(request)
        start = await resume.starting_point(request, task, self.reader)
        is_over = await self.reader.is_over(task, after_seq=start.after_seq)
        stays = until_final and task.status not in TERMINAL
        if is_over and not stays and not start.first_frame:
            return Response(status_code=204, headers=id_header(request_id))
        if request.method == "HEAD":  # it would hold the connection, for an answer without a body
            return Response(headers=id_header(request_id), media_type="text/event-stream")
        return self._stream(
            task,
            request_id,
            after_seq=start.after_seq,
            until_final=until_final,
            first=start.first_frame,
        )

    async def _control(self, request: Request, operation: Control) -> Response:
        body = await read_object(request, size_max=self.body_size_max, required=False)
        request_id = request_id_of(request, body)
        task = await operation(await self._find(request), actor=identity.actor_of(request))
        snapshot = encode_json(await self.reader.snapshot(task))
        respond = bare_response if identity.wants_bare_task(request) else result_response
        return respond(request_id, snapshot)

    async def _answer(
        self,
        request: Request,
        task: TaskRow,
        given: Sequence[ToolAnswer],
        wanted: TaskCreateBody | ToolResultsParams,
    ) -> Response | ASGIApp:
        """Answer a task's calls, then tell what became of it from there on."""
        request_id = request_id_of(request)
        answered = await self.engine.answer(task, given, actor=identity.actor_of(request))
        task, after_seq = answered.task, answered.after_seq
        return await self._followed(task, request_id, wanted, after_seq=after_seq)

    async def _followed(
        self,
        task: TaskRow,
        request_id: str,
        wanted: TaskCreateBody | ToolResultsParams,
        *,
        after_seq: int,
    ) -> Response | ASGIApp:
        """Answer with the new events, or with the task: at once, or when it ends or rests."""
        if wanted.get("stream"):
            return self._stream(task, request_id, after_seq=after_seq, until_final=False)
        if wanted.get("background") or task.status in TERMINAL | RESTING:
            return await self._task_response(task, request_id)
        batches = self.reader.follow(
            task.pk,
            after_seq=after_seq,
            until_final=False,
            idle_s=min(LOOK_EVERY_S, self.keep_alive_s),
        )
        return SettledTask(
            batches,
            request_id=request_id,
            is_stopping=self.reader.is_stopping,
            keep_alive_s=self.keep_alive_s,
        )

    def _submission(self, request: Request, body: Json, wanted: TaskCreateBody) -> Submission:
        key = request.headers.get("Idempotency-Key") or None
        if key is not None and len(key) > _IDEMPOTENCY_KEY_CHARS_MAX:
            raise InvalidRequestError.at("Idempotency-Key", msg="must be at most 256 characters")
        ids = identity.given_ids(request, body)
        task_id, session_id, user_id = ids["task_id"], ids["session_id"], ids["user_id"]
        # With the ids from headers: the same words in another session are another request.
        canonical = {k: v for k, v in (body | ids).items() if k not in _NOT_CANONICAL}
        return Submission(
            tenant=LOCAL_TENANT,
            task_id=None if task_id is None else TaskId(task_id),
            session_id=None if session_id is None else SessionId(session_id),
            user_id=None if user_id is None else UserId(user_id),
            client_id=ids["client_id"],
            spec=self._spec(wanted),
            user_message_content=wanted["user_message_content"],
            history_messages=cast("Sequence[Json]", wanted.get("history_messages") or ()),
            thought_messages=cast("Sequence[Json]", wanted.get("thought_messages") or ()),
            metadata=wanted.get("metadata"),
            timeout_s=wanted.get("timeout_s"),
            on_busy=OnBusy(wanted.get("on_busy") or OnBusy.DEFAULT),
            caller=identity.caller_of(request),
            canonical_body=_encode_canonical(canonical),
            idempotency_key=key,
            retry_count=identity.retry_count_of(request),
        )

    def _spec(self, wanted: TaskCreateBody) -> AgentSpec:
        spec = resolve(
            wanted.get("agent_config"),
            inference_args=wanted.get("inference_args"),
            client_tools=wanted.get("client_tools"),
            default=self.default_agent,
        )
        name = self.full_model_name(spec.model)
        return spec if name == spec.model else replace(spec, model=name)

    def _stream(
        self,
        task: TaskRow,
        request_id: str,
        *,
        after_seq: int,
        until_final: bool,
        first: bytes = b"",
    ) -> EventStream:
        batches = self.reader.follow(
            task.pk,
            after_seq=after_seq,
            until_final=until_final,
            idle_s=min(LOOK_EVERY_S, self.heartbeat_s),
        )
        return EventStream(
            batches, request_id=request_id, heartbeat_s=self.heartbeat_s, first=first
        )

    async def _find(self, request: Request) -> TaskRow:
        task_id: str = request.path_params["task_id"]
        task = await self.store.get(LOCAL_TENANT, task_id)
        if task is None:
            raise TaskNotFoundError(f"no task {task_id[:128]!r}")
        return task

    async def _task_response(self, task: TaskRow, request_id: str) -> Response:
        return result_response(request_id, encode_json(await self.reader.snapshot(task)))


def _filter(request: Request) -> TaskFilter:
    query = request.query_params
    names = [*query.getlist("status"), *query.getlist("status[]")]
    try:
        statuses = [Status(name) for name in names]
    except ValueError:
        known = ", ".join(status.value for status in Status)
        raise InvalidRequestError.at("status", msg=f"must be one of {known}") from None
    return TaskFilter(
        tenant=LOCAL_TENANT,
        session_id=query.get("session_id"),
        user_id=query.get("user_id"),
        parent_task_id=query.get("parent_task_id"),
        statuses=statuses,
        limit=_limit(query.get("limit")),
        starting_after=query.get("starting_after"),
        ending_before=query.get("ending_before"),
    )


def _limit(value: str | None) -> int:
    if value is None:
        return _LIST_LIMIT_DEFAULT
    if not (
        value.isdecimal() and len(value) <= _LIMIT_DIGITS_MAX and 1 <= int(value) <= _LIST_LIMIT_MAX
    ):
        raise InvalidRequestError.at("limit", msg=f"must be a number from 1 to {_LIST_LIMIT_MAX}")
    return int(value)


def _until_final(request: Request) -> bool:
    value = request.query_params.get("until")
    if value not in {None, "final"}:
        raise InvalidRequestError.at("until", msg="must be 'final' or left out")
    return value == "final"

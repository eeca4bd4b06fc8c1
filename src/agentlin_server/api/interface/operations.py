"""The operations of the document, path by path. Source: contract, sections 3 and 4."""

from collections.abc import Collection
from typing import Any, Final

from agentlin_server.api import faults
from agentlin_server.api.interface import examples
from agentlin_server.api.interface.errors import ErrorClass, header_refs, responses
from agentlin_server.api.interface.parameters import refs
from agentlin_server.api.interface.schemas import ref
from agentlin_server.domain import errors as e

_ANY_BODY: Final = (
    faults.MalformedJsonError,
    faults.ContentTypeError,
    faults.BodyTooLargeError,
    e.InvalidRequestError,
)
_DATABASE: Final = (e.StorageError,)
_CREATE_ERRORS: Final = (
    *_ANY_BODY,
    e.TemplateError,
    e.UnsupportedParamError,
    e.UnsupportedContentError,
    e.TaskNotFoundError,
    e.SessionBusyError,
    e.IdempotencyConflictError,
    e.QueueFullError,
    e.ShuttingDownError,
    *_DATABASE,
)
_ONE_TASK: Final = (e.TaskNotFoundError, *_DATABASE)
_CONTROLLED: Final = (*_ANY_BODY, *_ONE_TASK)


def paths() -> dict[str, Any]:
    """Return all path items."""
    one = "/v1/tasks/{task_id}"
    return {
        "/v1/tasks": {"post": _create(), "get": _list()},
        one: {"get": _retrieve(), "delete": _delete()},
        f"{one}/cancel": {"post": _cancel()},
        f"{one}/events": {"get": _events()},
        f"{one}/pause": {"post": _pause()},
        f"{one}/resume": {"post": _resume()},
        f"{one}/tool_results": {"post": _tool_results()},
        "/healthz": {"get": _health()},
        "/readyz": {"get": _readiness()},
        "/openapi.json": {"get": _openapi()},
        "/docs": {"get": _docs()},
    }


def _operation(
    operation_id: str,
    summary: str,
    description: str,
    *,
    answers: dict[str, Any],
    errors: Collection[ErrorClass] = (),
    parameters: Collection[str] = (),
    body: dict[str, Any] | None = None,
    tag: str = "Tasks",
) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": operation_id,
        "tags": [tag],
        "summary": summary,
        "description": description,
    }
    if parameters:
        made["parameters"] = refs(*parameters)
    if body is not None:
        made["requestBody"] = body
    failures = responses(*errors)
    made["responses"] = answers | {k: v for k, v in failures.items() if k not in answers}
    return made


def _json(schema: str, example: object | None = None) -> dict[str, Any]:
    media: dict[str, Any] = {"schema": ref(schema)}
    if example is not None:
        media["example"] = example
    return {"application/json": media}


def _task_answer(
    schema: str, description: str, task: dict[str, Any] | None = None
) -> dict[str, Any]:
    example = examples.envelope(task or examples.task())
    return {
        "200": {
            "description": description,
            "headers": header_refs(),
            "content": _json(schema, example),
        }
    }


def _event_stream() -> dict[str, Any]:
    return {
        "text/event-stream": {
            "schema": {
                "type": "string",
                "description": (
                    "Per event `id: <sequence_number>-<generation>`, `event: <type>`, and one "
                    "`data:` line, which holds a TaskEventEnvelope with the event as `result` "
                    "(and the `error` too on task.failed). A lone comment line `: ping` comes "
                    "every 15 s without events. The stream ends when the last event of the log "
                    "is final or resting."
                ),
            },
            "x-itemSchema": ref("TaskEventEnvelope"),
            "example": examples.stream(),
        }
    }


def _create() -> dict[str, Any]:
    answers = _task_answer(
        "TaskCreateResponse",
        "The task: as events with `stream`; at once with `background`; else once it has ended, "
        "or rests. An answer that takes longer than 10 s is kept alive with spaces before the "
        "JSON. A task that failed is answered like any other.",
    )
    answers["200"]["content"] |= _event_stream()
    return _operation(
        "create",
        "Create a task",
        "Run an agent on a message.\n\n"
        "Ids come from the body, else from headers, else they are made. A param whose feature is "
        "not built or not configured is refused, 400 with -32004, never ignored; its empty value "
        "passes. A key that looks like a misspelt param is refused, 422; any other unknown key "
        "is ignored.\n\n"
        "The task is detached from the request: if the connection drops, it runs on, and "
        "`GET /v1/tasks/{task_id}/events` goes on with its events.\n\n"
        "With a `session_id` whose task is `input-required`, an empty `user_message_content` and "
        "results for its pending calls in `thought_messages`, no task is made: that one takes the "
        "answers and goes on, as with `POST /v1/tasks/{task_id}/tool_results`. It is the `result`, "
        "and a stream begins at the first new event.",
        parameters=(
            "IdempotencyKey",
            "RequestID",
            "HeaderTaskID",
            "HeaderSessionID",
            "HeaderUserID",
            "HeaderClientID",
        ),
        body={
            "required": True,
            "content": {
                "application/json": {"schema": ref("TaskCreateBody"), "examples": examples.BODIES}
            },
        },
        answers=answers,
        errors=_CREATE_ERRORS,
    )


def _list() -> dict[str, Any]:
    return _operation(
        "list",
        "List tasks",
        "One page of tasks, newest first, without their rollouts. Filters are combined with and. "
        "The next page starts after the last task of this one.",
        parameters=(
            "SessionFilter",
            "UserFilter",
            "ParentFilter",
            "StatusFilter",
            "StatusListFilter",
            "Limit",
            "PageAfter",
            "PageBefore",
            "RequestID",
        ),
        answers={
            "200": {
                "description": "The page; empty at the end.",
                "headers": header_refs(),
                "content": _json("TaskListResponse", examples.envelope([examples.task()])),
            }
        },
        errors=(e.InvalidRequestError, *_DATABASE),
    )


def _retrieve() -> dict[str, Any]:
    return _operation(
        "retrieve",
        "Get a task",
        "The task as it is now: the fold of all its events, items that still grow included. Its "
        "`sequence_number` is that of the last event in it: stream on with `starting_after`.",
        parameters=("TaskID", "RequestID"),
        answers=_task_answer("TaskRetrieveResponse", "The task; also one that failed."),
        errors=_ONE_TASK,
    )


def _delete() -> dict[str, Any]:
    return _operation(
        "delete",
        "Delete a task",
        "Cancel the task if it still runs, then remove it, its children and its events; its turns "
        "leave the session's context. Its id and idempotency key stay reserved for 24 h.",
        parameters=("TaskID", "RequestID"),
        answers=_task_answer("TaskDeleteResponse", "The task's last snapshot."),
        errors=_ONE_TASK,
    )


def _cancel() -> dict[str, Any]:
    return _operation(
        "cancel",
        "Cancel a task",
        "Stop the task, within a second even in the middle of an answer; what there is of it "
        "stays in `output`. Answered once the task is canceled; canceling it again changes "
        "nothing.",
        parameters=("TaskID", "RequestID"),
        answers=_task_answer("TaskCancelResponse", "The canceled task."),
        errors=(*_CONTROLLED, e.TaskNotCancelableError),
    )


def _events() -> dict[str, Any]:
    return _operation(
        "events",
        "Follow a task's events",
        "All events after a point, each exactly once: first from the log, then live, also across "
        "a restart of the server. Where exact replay is impossible, a `task.snapshot` comes first "
        "and stands for everything up to its number.",
        parameters=("TaskID", "EventsAfter", "LastEventID", "Until", "RequestID"),
        answers={
            "200": {
                "description": "The events.",
                "headers": header_refs(),
                "content": _event_stream(),
            },
            "204": {
                "description": "The task has ended or rests, and no event comes after the point.",
                "headers": header_refs(),
            },
        },
        errors=(e.InvalidRequestError, *_ONE_TASK),
    )


def _pause() -> dict[str, Any]:
    return _operation(
        "pause",
        "Pause a task",
        "Let the task rest before its next model call, once all results of the step are there. "
        "Answered at once: `pause_requested` is true until the task is `paused`. If the task comes "
        "to wait for an answer first, the pause takes effect after it; if it ends first, never. "
        "Pausing it again changes nothing.",
        parameters=("TaskID", "RequestID"),
        answers=_task_answer("TaskPauseResponse", "The task.", examples.about_to_pause()),
        errors=(*_CONTROLLED, e.TaskNotPausableError),
    )


def _resume() -> dict[str, Any]:
    return _operation(
        "resume",
        "Resume a task",
        "Let a paused task go on, or withdraw a pause that has not taken effect. Time limits stood "
        "still meanwhile.",
        parameters=("TaskID", "RequestID"),
        answers=_task_answer("TaskResumeResponse", "The task.", examples.queued()),
        errors=(*_CONTROLLED, e.TaskNotResumableError),
    )


def _tool_results() -> dict[str, Any]:
    answers = _task_answer(
        "TaskToolResultsResponse",
        "The task: as its new events with `stream`, from the answers on; at once with "
        "`background`; else once it has ended, or rests again.",
    )
    answers["200"]["content"] |= _event_stream()
    media = {"schema": ref("ToolResultsParams"), "example": examples.TOOL_RESULTS}
    return _operation(
        "tool_results",
        "Answer a task's calls",
        "Give the results of calls that an `input-required` task waits for: those of "
        "`input_required_call_ids`. Once all have their results, it goes on; answers to some of "
        "them are taken, and it asks for the rest. The same answer again changes nothing, and is "
        "answered like the first.",
        parameters=("TaskID", "RequestID"),
        body={"required": True, "content": {"application/json": media}},
        answers=answers,
        errors=(
            *_CONTROLLED,
            e.UnsupportedContentError,
            e.TaskNotWaitingError,
            e.AnswerConflictError,
        ),
    )


def _health() -> dict[str, Any]:
    return _operation(
        "health",
        "Is the process alive?",
        "Needs nothing but the process itself.",
        answers={
            "200": {
                "description": "It is.",
                "content": _json("Health", {"status": "ok", "version": "0.1.0"}),
            }
        },
        tag="Server",
    )


def _readiness() -> dict[str, Any]:
    return _operation(
        "readiness",
        "Can tasks be taken?",
        "The database can be read and written.",
        answers={
            "200": {
                "description": "They can.",
                "content": _json("Readiness", {"status": "ready", "version": "0.1.0"}),
            },
            "503": {
                "description": "They can't.",
                "content": _json("Readiness", {"status": "unavailable", "reason": "database"}),
            },
        },
        tag="Server",
    )


def _openapi() -> dict[str, Any]:
    return _operation(
        "openapi",
        "This document",
        "The interface, in OpenAPI 3.1; at `/v1/openapi.json` too.",
        answers={
            "200": {
                "description": "The document.",
                "content": {"application/json": {"schema": {"type": "object"}}},
            }
        },
        tag="Server",
    )


def _docs() -> dict[str, Any]:
    return _operation(
        "docs",
        "This document, for people",
        "One page that loads nothing from elsewhere, with a form to try the server.",
        answers={
            "200": {
                "description": "The page.",
                "content": {"text/html": {"schema": {"type": "string"}}},
            }
        },
        tag="Server",
    )

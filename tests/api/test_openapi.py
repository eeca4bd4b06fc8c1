"""The OpenAPI document says what the server does, and the page that shows it loads nothing else."""

import base64
import hashlib
import json
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.resources import files
from typing import Any, Final, cast

import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import TypeAdapter
from starlette.routing import Route

from agentlin_client.types import (
    TaskCreateBody,
    TaskCreateResponse,
    ToolResultsParams,
)
from agentlin_client.types._adapters import decode_envelope
from agentlin_client.types.agent_task_event import EVENT_TYPES
from agentlin_client.types.fold import TaskFold
from agentlin_client.types.order import OrderValidator
from agentlin_server.api import openapi, routes
from agentlin_server.api.faults import FAULTS, Row, to_fault
from agentlin_server.api.interface import docstrings, errors, examples
from agentlin_server.api.meta import MetaRoutes
from agentlin_server.api.tasks import TaskRoutes
from agentlin_server.domain.errors import InvalidRequestError, StorageError

VERSION: Final = "1.2.3"
PAGE: Final = files("agentlin_server.api").joinpath("static/docs.html").read_text("utf-8")
SDK_METHODS: Final = {
    "create", "retrieve", "delete", "cancel", "list", "events", "pause", "resume", "tool_results",
}  # fmt: skip

Json = dict[str, Any]


@pytest.fixture(scope="module")
def document() -> Json:
    return openapi.document(VERSION)


def _nodes(value: object) -> Iterator[Json]:
    if isinstance(value, dict):
        yield cast("Json", value)
        for child in cast("Json", value).values():
            yield from _nodes(child)
    elif isinstance(value, list):
        for child in cast("list[object]", value):
            yield from _nodes(child)


def _resolved(document: Json, ref: str) -> Json:
    node: Any = document
    for key in ref.removeprefix("#/").split("/"):
        node = node[key]
    return node


def _operations(document: Json) -> dict[tuple[str, str], Json]:
    return {
        (method.upper(), path): operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
    }


def _media(document: Json) -> Iterator[tuple[Json, object]]:
    """Yield each JSON media type's schema with each example of it."""
    for node in _nodes(document["paths"]):
        media = node.get("application/json")
        if media is None:
            continue
        if "example" in media:
            yield media["schema"], media["example"]
        for example in media.get("examples", {}).values():
            yield media["schema"], example["value"]


def test_the_document_is_valid_openapi_3_1(document: Json) -> None:
    OpenAPIV31SpecValidator(document).validate()
    assert document["openapi"].startswith("3.1.")
    assert document["info"]["version"] == VERSION


def test_the_document_is_plain_json(document: Json) -> None:
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_every_reference_resolves(document: Json) -> None:
    refs = [node["$ref"] for node in _nodes(document) if "$ref" in node]
    for node in _nodes(document):
        if isinstance(node.get("propertyName"), str):
            refs += node["mapping"].values()
    assert len(refs) > 200
    assert [ref for ref in refs if not _resolved(document, ref)] == []


def test_every_component_is_referred_to(document: Json) -> None:
    used = {node["$ref"].rpartition("/")[2] for node in _nodes(document) if "$ref" in node}
    parts = document["components"]
    unused = {name for kind in ("schemas", "parameters", "headers") for name in parts[kind]} - used
    assert unused <= {"Allow"}, "Allow comes with 405, which no operation has"


def test_every_route_is_in_the_document_and_nothing_else_is(document: Json) -> None:
    anything = cast("Any", None)
    tasks = TaskRoutes(
        engine=anything,
        reader=anything,
        store=anything,
        default_agent=anything,
        full_model_name=anything,
        body_size_max=1,
    )
    app = routes.build(
        tasks, MetaRoutes(store=anything, version=VERSION, is_stopping=lambda: False)
    )
    served = {
        (method, route.path)
        for route in app.routes
        if isinstance(route, Route)
        for method in cast("routes.Resource", route.endpoint).handlers
    }
    # Each path exists with and without the prefix and a trailing slash: the document has it once.
    once = {(method, path.removeprefix("/v1").rstrip("/")) for method, path in served}
    described = set(_operations(document))
    assert {(method, path.removeprefix("/v1")) for method, path in described} == once
    assert described <= served


def test_operations_are_named_like_the_methods_of_the_sdk(document: Json) -> None:
    ids = [operation["operationId"] for operation in _operations(document).values()]
    assert len(ids) == len(set(ids))
    assert set(ids) >= SDK_METHODS


def test_every_operation_has_its_path_parameters(document: Json) -> None:
    for (_, path), operation in _operations(document).items():
        given = [_resolved(document, p["$ref"]) for p in operation.get("parameters", ())]
        in_path = {p["name"] for p in given if p["in"] == "path"}
        assert in_path == set(re.findall(r"{(\w+)}", path))


def test_the_headers_and_filters_of_the_contract_are_there(document: Json) -> None:
    def names(method: str, path: str, where: str) -> set[str]:
        given = _operations(document)[method, path]["parameters"]
        found = [_resolved(document, p["$ref"]) for p in given]
        return {p["name"] for p in found if p["in"] == where}

    assert names("POST", "/v1/tasks", "header") == {
        "Idempotency-Key",
        "X-Client-ID",
        "X-Request-ID",
        "X-Session-ID",
        "X-Task-ID",
        "X-User-ID",
    }
    assert names("GET", "/v1/tasks", "query") == {
        "ending_before",
        "limit",
        "parent_task_id",
        "session_id",
        "starting_after",
        "status",
        "status[]",
        "user_id",
    }
    events = "/v1/tasks/{task_id}/events"
    assert names("GET", events, "query") == {"starting_after", "until"}
    assert "Last-Event-ID" in names("GET", events, "header")


def test_the_error_table_is_that_of_the_server(document: Json) -> None:
    described = [(row["name"], row["status"], row["code"]) for row in document["x-errors"]]
    table = [(cls.__name__, row.status, row.code) for cls, row in FAULTS.items()]
    internal = ("InternalError", errors.INTERNAL.status, errors.INTERNAL.code)
    assert sorted(described) == sorted([*table, internal])


def test_every_status_has_the_codes_of_the_error_table(document: Json) -> None:
    rows = {cls.__name__: row for cls, row in FAULTS.items()} | {"InternalError": errors.INTERNAL}
    seen: set[str] = set()
    for operation in _operations(document).values():
        for status, response in operation["responses"].items():
            if status < "400" or "x-errors" not in response:
                continue
            media = response["content"]["application/json"]
            assert set(media["examples"]) == {row["name"] for row in response["x-errors"]}
            for name, example in media["examples"].items():
                assert example["value"]["error"]["code"] == rows[name].code
                assert status == str(rows[name].status)
                assert f"`{rows[name].code}`" in response["description"]
                seen.add(name)
    assert rows.keys() - seen == {"UnknownPathError", "WrongMethodError"}


@pytest.mark.parametrize("exc", [RuntimeError("secret"), StorageError("/secret")], ids=repr)
def test_hidden_errors_are_described_as_they_are_answered(
    exc: Exception, document: Json, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.CRITICAL):
        fault = to_fault(exc)
    name = "StorageError" if isinstance(exc, StorageError) else "InternalError"
    response = document["paths"]["/v1/tasks"]["post"]["responses"][str(fault.status)]
    shown = response["content"]["application/json"]["examples"][name]["value"]["error"]
    assert shown["code"] == fault.error["code"]
    assert shown.keys() == fault.error.keys()
    assert shown["data"].keys() == fault.error["data"].keys()
    assert response["headers"].keys() >= fault.headers.keys()
    if name == "InternalError":
        assert Row(fault.error["code"], fault.status) == errors.INTERNAL


def test_errors_that_must_not_be_tried_again_say_so(document: Json) -> None:
    responses = document["paths"]["/v1/tasks"]["post"]["responses"]
    assert "x-should-retry" in responses["409"]["headers"]
    assert "Retry-After" in responses["429"]["headers"]
    assert "x-should-retry" not in responses["429"]["headers"]


@pytest.mark.parametrize(
    ("operation", "codes"),
    [
        ("cancel", {-32002}),
        ("pause", {-32009}),
        ("resume", {-32009}),
        ("tool_results", {-32009, -32012}),
    ],
)
def test_what_may_be_refused_says_so(document: Json, operation: str, codes: set[int]) -> None:
    described = document["paths"][f"/v1/tasks/{{task_id}}/{operation}"]["post"]
    assert {row["code"] for row in described["responses"]["409"]["x-errors"]} == codes
    assert "200" in described["responses"]


def test_every_field_of_every_schema_is_described(document: Json) -> None:
    schemas: Json = document["components"]["schemas"]
    bare = [name for name, schema in schemas.items() if not schema.get("description")]
    bare += [
        f"{name}.{field}"
        for name, schema in schemas.items()
        for field, form in schema.get("properties", {}).items()
        if not form.get("description")
    ]
    assert bare == []


def test_descriptions_are_in_the_words_of_json(document: Json) -> None:
    texts = [n["description"] for n in _nodes(document["components"]) if "description" in n]
    strange = re.compile(r"\b(None|True|False)\b|Source: contract|\bsection \d")
    assert [text for text in texts if isinstance(text, str) and strange.search(text)] == []


def test_unions_are_named_wherever_they_stand(document: Json) -> None:
    schemas = document["components"]["schemas"]
    item = schemas["TaskObject"]["properties"]["output"]["items"]
    content = schemas["TaskObject"]["properties"]["user_message_content"]["anyOf"]
    envelope = schemas["TaskEventEnvelope"]["properties"]["result"]["anyOf"]
    assert item == {"$ref": "#/components/schemas/TaskOutputItem"}
    assert content[0] == {"$ref": "#/components/schemas/MessageContent"}
    assert envelope[0] == {"$ref": "#/components/schemas/AgentTaskEvent"}
    known = schemas["AgentTaskEvent"]["anyOf"][0]
    assert set(known["discriminator"]["mapping"]) == EVENT_TYPES


def test_every_example_fits_its_schema(document: Json) -> None:
    pairs = list(_media(document))
    assert len(pairs) > 30
    for schema, example in pairs:
        OAS31Validator({**schema, "components": document["components"]}).validate(example)


def test_a_history_may_mix_items_and_chat_messages(document: Json) -> None:
    body = {
        "user_message_content": [{"type": "input_text", "text": "And now?"}, "A string."],
        "history_messages": [
            {"type": "message", "role": "user", "message_content": "Hello."},
            {"role": "assistant", "content": "Hello!"},
        ],
    }
    schema = {"$ref": "#/components/schemas/TaskCreateBody", "components": document["components"]}
    OAS31Validator(schema).validate(body)
    assert not OAS31Validator(schema).is_valid({"user_message_content": 7})


def test_the_example_bodies_are_taken_by_the_contract_types() -> None:
    for example in examples.BODIES.values():
        TypeAdapter(TaskCreateBody).validate_python(example["value"], strict=True)
    TypeAdapter(ToolResultsParams).validate_python(examples.TOOL_RESULTS, strict=True)
    TaskCreateResponse.model_validate(examples.envelope(examples.task()), strict=True)


def test_the_example_stream_keeps_the_order_and_folds_to_the_example_task() -> None:
    order, fold = OrderValidator(), TaskFold()
    for frame in examples.stream().split("\n\n")[:-1]:
        sse_id, name, data = frame.split("\n")
        envelope = json.loads(data.removeprefix("data: "))
        event = envelope["result"]
        decode_envelope(data.removeprefix("data: "))
        assert sse_id == f"id: {event['sequence_number']}-1"
        assert name == f"event: {event['type']}"
        order.check(event)
        fold.apply(event)
    assert fold.is_final
    assert fold.snapshot() == examples.task()


def test_field_docstrings_are_found_through_inheritance() -> None:
    docs = docstrings.of_fields(TaskCreateBody)
    assert docs["stream"].startswith("True: answer with server-sent events")
    assert docs["metadata"].startswith("Extension: shown on the task")
    assert docstrings.of_fields(InvalidRequestError) == {}


def test_importing_the_document_imports_nothing_heavy() -> None:
    code = (
        "import sys; import agentlin_server.api.openapi; "
        "print([m for m in ('pydantic', 'starlette', 'msgspec') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout.strip() == "[]"


def test_the_page_refers_to_nothing_elsewhere() -> None:
    assert re.findall(r"//|\w+:\w*/", PAGE) == []
    assert re.findall(r"@import|url\(|srcset|<img|<iframe|<form[^>]+action", PAGE) == []
    assert re.findall(r"\bsrc=", PAGE) == []
    assert set(re.findall(r'href="([^"]*)"', PAGE)) == {"data:,", "openapi.json"}


def test_the_page_never_takes_text_for_markup() -> None:
    assert (
        re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", PAGE) == []
    )


@pytest.mark.parametrize("tag", ["script", "style"])
def test_the_policy_of_the_page_allows_exactly_its_own_code(tag: str) -> None:
    (body,) = re.findall(rf"<{tag}>(.*?)</{tag}>", PAGE, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', PAGE)
    assert policy is not None
    directives = dict(part.split(maxsplit=1) for part in policy[1].split("; "))
    assert directives[f"{tag}-src"] == f"'sha256-{digest}'", "put this hash into the policy"
    assert directives["default-src"] == "'none'"
    assert directives["connect-src"] == "'self'"


def test_the_page_has_no_inline_code_that_its_policy_would_refuse() -> None:
    markup = re.sub(r"<(script|style)>.*?</\1>", "", PAGE, flags=re.DOTALL)
    assert re.findall(r"\s(?:style|on\w+)=", markup) == []

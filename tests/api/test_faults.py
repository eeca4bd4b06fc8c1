"""The table of errors: complete, and nothing inside leaks through it."""

import logging

import pytest

from agentlin_server.api import faults
from agentlin_server.api.faults import FAULTS, to_fault
from agentlin_server.app import service  # noqa: F401 - with it every error class is defined
from agentlin_server.domain import errors as e
from agentlin_server.domain.errors import AgentlinError

NOT_OF_REQUESTS = {
    "IllegalTransitionError": "a bug: answered as internal",
    "StaleWriterError": "a race that the engine handles",
    "PauseWithdrawnError": "likewise",
    "ModelError": "fails the task, not the request",
    "ModelStreamError": "likewise; made anew first",
    "SettingsError": "before there is a server",
    "DatabaseInUseError": "before there is a server",
    "PortInUseError": "before there is a server",
}
"""Error classes without a line in the table, each with its reason."""


def _all(cls: type[AgentlinError]) -> set[type[AgentlinError]]:
    return {cls}.union(*(_all(sub) for sub in cls.__subclasses__()))


def _is_listed(cls: type[AgentlinError]) -> bool:
    return any(one in FAULTS or one.__name__ in NOT_OF_REQUESTS for one in cls.__mro__)


def test_every_error_has_a_line_or_a_reason_to_have_none() -> None:
    ours = {cls for cls in _all(AgentlinError) if cls.__module__.startswith("agentlin_server.api")}
    ours |= {cls for cls in _all(AgentlinError) if cls.__module__ == e.__name__}
    assert [cls.__name__ for cls in ours - {AgentlinError} if not _is_listed(cls)] == []


@pytest.mark.parametrize(
    "exc",
    [
        RuntimeError("/secret/path"),
        e.StorageError("/secret/path"),
        e.StaleWriterError("/secret/path"),
        ExceptionGroup("/secret/path", [ValueError("/secret/path")]),
    ],
    ids=lambda exc: type(exc).__name__,
)
def test_what_went_wrong_inside_is_told_to_the_log_only(
    exc: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        fault = to_fault(exc)
    assert fault.status in {500, 503}
    assert fault.error["code"] == -32603
    assert "secret" not in str(fault)
    assert fault.error["data"]["error_id"] in caplog.text
    assert "/secret/path" in caplog.text
    assert "x-should-retry" not in fault.headers


def test_a_fault_that_passes_says_when_to_come_again() -> None:
    assert to_fault(e.QueueFullError("full", retry_after_s=7)).headers == {"Retry-After": "7"}
    assert to_fault(e.ShuttingDownError("bye")).headers["Retry-After"] == "2"


def test_every_code_is_one_of_the_contract() -> None:
    assert {(row.status, row.code) for row in FAULTS.values()} == {
        (400, -32700), (422, -32602), (415, -32600), (404, -32601), (405, -32601), (403, -32011),
        (404, -32001), (409, -32002), (409, -32009), (400, -32004), (400, -32005), (409, -32012),
        (413, -32013), (429, -32014), (503, -32603),
    }  # fmt: skip
    assert faults.Row(-32603, 500) == faults._INTERNAL

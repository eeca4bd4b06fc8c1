import os
from collections.abc import Awaitable, Callable
from contextlib import suppress

import anyio
import httpx
import pytest
import typer
from rich.console import Console

from agentlin_client import APIConnectionError, ClientError
from agentlin_client._errors import status_error_class
from agentlin_server.cli.exits import ExitCode, describe, perform
from agentlin_server.cli.terminal import data_console, word_console
from agentlin_server.domain.errors import StorageError
from agentlin_server.settings import SettingsError

REQUEST = httpx.Request("GET", "http://127.0.0.1/tasks")


def _exit_code(action: Callable[[], Awaitable[ExitCode]]) -> int:
    with pytest.raises(typer.Exit) as raised:
        perform(action)
    return raised.value.exit_code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SettingsError("bad"), ExitCode.USAGE),
        (StorageError("bad"), ExitCode.UNAVAILABLE),
        (ClientError("bad"), ExitCode.USAGE),
        (APIConnectionError(message="bad", request=REQUEST), ExitCode.UNAVAILABLE),
        (PermissionError("bad"), ExitCode.UNAVAILABLE),
    ],
)
def test_an_error_that_a_user_may_see_has_an_exit_code(error: Exception, code: ExitCode) -> None:
    assert describe(error) == (code, "bad")


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, ExitCode.USAGE),
        (422, ExitCode.USAGE),
        (404, ExitCode.NOT_FOUND),
        (409, ExitCode.FAILED),
        (401, ExitCode.UNAVAILABLE),
        (503, ExitCode.UNAVAILABLE),
    ],
)
def test_an_http_status_has_an_exit_code(status: int, code: ExitCode) -> None:
    response = httpx.Response(status, request=REQUEST)
    error = status_error_class(status)("bad", response=response, body=None)
    assert describe(error) == (code, "bad")


def test_what_the_server_says_is_not_followed_by_its_data() -> None:
    problems = [{"loc": ["limit"], "msg": "is too large", "type": "value_error"}]
    error = {"code": -32602, "message": "limit: is too large", "data": problems}
    response = httpx.Response(422, request=REQUEST)
    raised = status_error_class(422)(str(error), response=response, body={"error": error})
    assert describe(raised) == (ExitCode.USAGE, "limit: is too large (-32602)")


def test_a_bug_is_not_dressed_up() -> None:
    async def buggy() -> ExitCode:
        await anyio.lowlevel.checkpoint()
        raise ZeroDivisionError

    assert describe(ZeroDivisionError()) is None
    with pytest.raises(ZeroDivisionError):
        perform(buggy)


def test_an_error_inside_task_groups_is_reported_once(capsys: pytest.CaptureFixture[str]) -> None:
    async def grouped() -> ExitCode:
        async with anyio.create_task_group(), anyio.create_task_group():
            raise StorageError("the disk is full")
        return ExitCode.OK

    assert _exit_code(grouped) == ExitCode.UNAVAILABLE
    assert capsys.readouterr().err == "error: the disk is full\n"


def test_a_bug_inside_a_task_group_passes() -> None:
    async def grouped() -> ExitCode:
        async with anyio.create_task_group():
            raise ZeroDivisionError
        return ExitCode.OK

    with pytest.raises(ExceptionGroup):
        perform(grouped)


def test_ctrl_c_ends_with_130_and_no_word(capsys: pytest.CaptureFixture[str]) -> None:
    async def interrupted() -> ExitCode:
        await anyio.lowlevel.checkpoint()
        raise KeyboardInterrupt

    assert _exit_code(interrupted) == ExitCode.CANCELED
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("console", [data_console, word_console])
def test_a_console_that_nobody_reads_raises_what_any_write_raises(
    console: Callable[[], Console], monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with suppress(BrokenPipeError), os.fdopen(writer, "w") as gone:  # to close it fails, too
        monkeypatch.setattr("sys.stdout", gone)
        monkeypatch.setattr("sys.stderr", gone)
        with pytest.raises(BrokenPipeError):
            console().out("Hello")

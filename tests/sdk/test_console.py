"""Tasks on the terminal: what is on the screen in the end, and what a pipe gets."""

import io
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from pydantic import TypeAdapter
from rich.console import Console

from agentlin_client import ClientError, Stream
from agentlin_client.lib._screen import LiveScreen, status_line
from agentlin_client.lib._transcript import Grown, Transcript
from agentlin_client.lib.console import progress, progress_async, render, render_async
from agentlin_client.types import AgentTaskEvent, TaskObject
from tests.sdk import wire
from tests.sdk.conftest import Sdk

EVENT: TypeAdapter[Any] = TypeAdapter(AgentTaskEvent)
CODES = re.compile(r"\x1b\[(\??[\d;]*)([A-Za-z])|([\r\n])|([^\x1b\r\n]+)")


class Terminal:
    """What a terminal shows after the codes that Rich uses; all else fails the test."""

    def __init__(self, *, width: int = 90, height: int = 12) -> None:
        self.file = io.StringIO()
        self.console = Console(
            file=self.file,
            force_terminal=True,
            color_system=None,
            width=width,
            height=height,
            legacy_windows=False,
            _environ={"TERM": "xterm"},
        )

    @property
    def lines(self) -> list[str]:
        rows, row, column = [""], 0, 0
        for match in CODES.finditer(self.file.getvalue()):
            code, letter, end, text = match.groups()
            if text:
                line = rows[row].ljust(column)
                rows[row] = line[:column] + text + line[column + len(text) :]
                column += len(text)
            elif end == "\n":
                row, column = row + 1, 0
                rows += [""] * (row + 1 - len(rows))
            elif end == "\r":
                column = 0
            elif letter == "A":
                row = max(row - int(code or 1), 0)
            elif letter == "K":
                rows[row] = ""
            else:
                assert letter in {"m", "h", "l"}, match[0]
        return [line.rstrip() for line in rows]

    @property
    def text(self) -> str:
        return "\n".join(self.lines).strip()


class Plain:
    """A console that is no terminal."""

    def __init__(self) -> None:
        self.file = io.StringIO()
        self.console = Console(file=self.file, width=40)

    @property
    def text(self) -> str:
        return self.file.getvalue()


def typed(events: list[dict[str, Any]]) -> list[Any]:
    return [EVENT.validate_python(event) for event in events]


def numbered(*bodies: dict[str, Any]) -> list[Any]:
    created = {"type": "task.created", "timestamp": "", "task": wire.task("created")}
    every = [created, *bodies]
    return typed(
        [{"task_id": wire.TASK_ID, "sequence_number": n} | body for n, body in enumerate(every)]
    )


def item(event: str, kind: str, item_id: str, **fields: Any) -> dict[str, Any]:
    return {
        "type": f"task.output_item.{event}",
        "agent_step": fields.pop("agent_step", 1),
        "item": {"type": kind, "id": item_id, "status": "completed"} | fields,
    }


def delta(text: str, item_id: str = "msg_1", kind: str = "text") -> dict[str, Any]:
    more = {"logprobs": []} if kind == "text" else {}
    at = {"item_id": item_id, "agent_step": 1, "content_index": 0}
    return {"type": f"task.{kind}.delta", **at, "delta": text, **more}


def ended(status: str = "completed", **fields: Any) -> dict[str, Any]:
    task = wire.task(status, **fields)
    more = {"error": fields["error"]} if "error" in fields else {}
    kind = f"task.{status.replace('-', '_')}"
    return {"type": kind, "timestamp": "", "task": task, **more}


def message(event: str, item_id: str = "msg_1", **fields: Any) -> dict[str, Any]:
    return item(event, "message", item_id, **{"role": "assistant", "message_content": []} | fields)


PART = {"type": "reasoning_text", "text": ""}
CALL = {"call_id": "c", "name": "get_weather", "arguments": '{\n "city": "Rome"}'}
RESULT = {"call_id": "c", "message_content": "18 degrees", "block_list": []}
WHOLE_TASK = numbered(
    {"type": "task.working", "timestamp": ""},
    item("added", "reasoning", "rs_1", summary=[], content=[PART]),
    delta("Hm, weather.", "rs_1", "reasoning_text"),
    item("done", "reasoning", "rs_1", summary=[], content=[{**PART, "text": "Hm, weather."}]),
    item("added", "tool_call", "tc_1", **CALL | {"arguments": ""}),
    item("done", "tool_call", "tc_1", **CALL) | {"usage": {"input_tokens": 5, "output_tokens": 30}},
    item("added", "tool_result", "tr_1", **RESULT | {"message_content": []}),
    item("done", "tool_result", "tr_1", **RESULT),
    message("added", message_content=[{"type": "output_text", "text": ""}], agent_step=2),
    delta("It is **18"),
    delta(" degrees**.\n\nBring a"),
    delta(" coat.\x1b[2J"),
    message("done", message_content=[{"type": "output_text", "text": "..."}], agent_step=2)
    | {"usage": {"input_tokens": 7, "output_tokens": 4}},
    ended(),
)


async def shown(events: list[Any], kind: str, console: Console) -> TaskObject:
    """Render by the blocking or by the async function."""

    async def one_by_one() -> AsyncIterator[Any]:
        for event in events:
            yield event

    if kind == "sync":
        return render(events, console=console)
    return await render_async(one_by_one(), console=console)


@pytest.mark.anyio
@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_a_terminal_shows_reasoning_calls_results_answer_and_usage(kind: str) -> None:
    terminal = Terminal()
    task = await shown(WHOLE_TASK, kind, terminal.console)
    assert task.status == "completed"
    *body, last = terminal.text.split("\n\n")
    assert body == [
        "Hm, weather.",
        '→ get_weather { "city": "Rome"}',
        "← get_weather 18 degrees",
        "It is 18 degrees.",
        "Bring a coat.[2J",
    ]
    assert re.fullmatch(
        r"completed · task_1 · 12 \+ 34 tokens · 2 model calls · 1 tool call · \d\.\d s", last
    )


@pytest.mark.anyio
@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_a_pipe_gets_the_same_as_plain_lines_without_escape_sequences(kind: str) -> None:
    plain = Plain()
    await shown(WHOLE_TASK, kind, plain.console)
    *lines, last = plain.text.splitlines()
    assert lines == [
        "[reasoning] Hm, weather.",
        '-> get_weather { "city": "Rome"}',
        "<- get_weather: 18 degrees",
        "It is **18 degrees**.",
        "",
        "Bring a coat.[2J",
    ]
    assert last.startswith("completed · task_1 · 12 + 34 tokens")
    assert "\x1b" not in plain.text


@pytest.mark.anyio
async def test_a_stream_of_the_client_is_rendered(sdk: Sdk) -> None:
    sdk.server.script(wire.stream(wire.log("Hello", " you")))
    stream = await sdk.done(sdk.client().tasks.create(stream=True, user_message_content="Hi"))
    plain = Plain()
    if isinstance(stream, Stream):
        task = render(stream, console=plain.console)
    else:
        task = await render_async(stream, console=plain.console)
    assert task.id == wire.TASK_ID
    assert plain.text.startswith("Hello you\ncompleted · task_1 · ")


@pytest.mark.parametrize("console", [Terminal, Plain])
def test_what_broke_off_is_said_and_so_is_the_next_attempt(console: Any) -> None:
    screen = console()
    part = [{"type": "output_text", "text": ""}]
    render(
        numbered(
            message("added", message_content=part),
            delta("Once upon"),
            message("done", message_content=part, status="incomplete"),
            message("added", "msg_2", message_content=part, attempt=2, supersedes="msg_1"),
            delta("Once upon a time", "msg_2"),
            message("done", "msg_2", message_content=part, attempt=2),
            ended(),
        ),
        console=screen.console,
    )
    order = ["Once upon", "(broken off)", "broke off and is made again: attempt 2",
             "Once upon a time", "completed"]  # fmt: skip
    places = [screen.text.index(words) for words in order]
    assert places == sorted(places)


@pytest.mark.parametrize("console", [Terminal, Plain])
def test_a_failure_is_shown_with_its_reason_and_the_task_is_returned(console: Any) -> None:
    screen = console()
    error = {"code": -32000, "message": "The model\x1b failed"}
    task = render(numbered(ended("failed", error=error)), console=screen.console)
    assert task.status == "failed"
    assert "The model failed (-32000)" in screen.text
    assert "failed · task_1" in screen.text


def test_what_a_task_waits_for_is_shown() -> None:
    plain = Plain()
    asked = {"type": "tool_call", **CALL}
    event = ended("input-required", input_required=asked) | {"input_required": asked}
    assert render(numbered(event), console=plain.console).status == "input-required"
    assert '-- waits for an answer to get_weather { "city": "Rome"} --' in plain.text
    assert "input-required · task_1" in plain.text


def test_pictures_are_named_and_lost_events_are_mentioned() -> None:
    plain = Plain()
    picture = {"type": "output_image", "image_url": {"url": "data:image/png;base64,AAAA"}}
    at = {"item_id": "msg_1", "agent_step": 1, "content_index": 0}
    whole = wire.task("working", output=[])
    render(
        numbered(
            message("added", message_content=[picture]),
            {"type": "task.content_part.done", **at, "part": picture},
            {"type": "task.snapshot", "timestamp": "", "task": whole, "reason": "power cut"},
            ended(),
        ),
        console=plain.console,
    )
    assert "[output_image]" in plain.text
    assert "AAAA" not in plain.text
    assert "-- some events are lost; the task is whole --" in plain.text


def test_an_error_of_the_stream_leaves_the_text_so_far_on_the_screen() -> None:
    def breaking() -> Iterator[Any]:
        yield from WHOLE_TASK[:12]
        raise ClientError("gone")

    terminal = Terminal()
    with pytest.raises(ClientError, match="gone"):
        render(breaking(), console=terminal.console)
    assert terminal.text.endswith("Bring a")


def test_a_stream_that_shows_no_task_is_an_error() -> None:
    with pytest.raises(ClientError, match="begin at its beginning"):
        render([], console=Plain().console)


@pytest.mark.anyio
async def test_the_wrong_kind_of_stream_is_refused_with_what_to_write() -> None:
    async def events() -> AsyncIterator[Any]:
        yield WHOLE_TASK[0]

    wrong: Any = events()
    with pytest.raises(TypeError, match="write `await render_async"):
        render(wrong)
    with pytest.raises(TypeError, match="write `async for event in progress_async"):
        next(progress(wrong))
    wrong = WHOLE_TASK
    with pytest.raises(TypeError, match=r"list is not async: write `render\(...\)`"):
        await render_async(wrong)


@pytest.mark.anyio
async def test_what_is_no_stream_is_refused_with_what_to_give() -> None:
    task: Any = TaskObject.model_validate(wire.task())
    wrong: Any
    for wrong in ("task_1", b"", {}, task, None):
        kind = type(wrong).__name__
        what = rf"takes a stream of events, e\.g\. that of tasks\.stream\(\.\.\.\), not {kind}$"
        with pytest.raises(TypeError, match="render " + what):
            render(wrong)
        with pytest.raises(TypeError, match="render_async " + what):
            await render_async(wrong)
        with pytest.raises(TypeError, match="progress_async " + what):
            await anext(progress_async(wrong))

    async def opened() -> Any:
        return WHOLE_TASK

    wrong = opened()
    with pytest.raises(TypeError, match=r"render takes .*: await it first"):
        render(wrong)
    wrong = opened()
    with pytest.raises(TypeError, match=r"render_async takes .*: await it first"):
        await render_async(wrong)


def test_a_lenient_event_that_lacks_what_its_type_promises_is_passed_over() -> None:
    broken = type(WHOLE_TASK[12]).model_construct(type="task.text.delta", sequence_number=99)
    assert Transcript().take(broken) is None


def test_only_the_end_of_a_long_paragraph_is_drawn_while_it_grows() -> None:
    terminal = Terminal(height=8)
    screen = LiveScreen(terminal.console, lambda: "working", refreshes_itself=False)
    code = "```python\n" + "".join(f"line_{number}\n" for number in range(300))
    with screen:
        screen.show(Grown("answer", "msg_1", code))
        screen._live.refresh()
        drawn = terminal.lines
        assert len([line for line in drawn if line]) <= 8
        assert "line_299" in "\n".join(drawn)
        assert "working" in "\n".join(drawn)
        screen.show(Grown("answer", "msg_1", "```\n"))
    final = [line.strip() for line in terminal.lines if line.strip()]
    assert final == [f"line_{number}" for number in range(300)]


def test_the_live_line_is_gone_in_the_end() -> None:
    terminal = Terminal()
    with status_line(terminal.console, lambda: "working · 1 s", lambda: "working") as draw:
        draw()
    assert "working" in terminal.file.getvalue()
    assert terminal.text == ""


@pytest.mark.anyio
@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_progress_passes_the_events_on_and_writes_a_line_per_status(kind: str) -> None:
    plain = Plain()
    if kind == "sync":
        seen = list(progress(WHOLE_TASK, console=plain.console))
    else:

        async def events() -> AsyncIterator[Any]:
            for event in WHOLE_TASK:
                yield event

        seen = [event async for event in progress_async(events(), console=plain.console)]
    assert seen == WHOLE_TASK
    lines = [re.sub(r"\d\.\d s", "T", line) for line in plain.text.splitlines()]
    assert lines == ["created · T", "working · T", "completed · step 2 · T"]


def test_the_status_tells_the_tools_that_run() -> None:
    transcript = Transcript()
    for event in WHOLE_TASK[:8]:
        transcript.take(event)
    assert transcript.line(1.26) == "working · step 1 · get_weather · 1.3 s"


# ----------------------------------------------------------------------------- without Rich


def test_without_rich_the_pip_command_is_named_and_importing_the_module_is_fine() -> None:
    code = """
import sys
sys.modules["rich"] = sys.modules["rich.console"] = None
from agentlin_client.lib.console import render
try:
    render([])
except ImportError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert "pip install 'agentlin[console]'" in done.stdout

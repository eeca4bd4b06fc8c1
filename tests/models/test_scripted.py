"""The scripted model plays what the script says."""

from pathlib import Path

import anyio
import pytest

from agentlin_server.domain.errors import (
    ModelAuthenticationError,
    ModelRateLimitError,
    ModelRequestError,
    ModelStreamError,
)
from agentlin_server.domain.model import (
    Chunk,
    Finish,
    ModelRequest,
    ProviderState,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from agentlin_server.models.script import (
    Answer,
    Delay,
    Fail,
    Gate,
    Reasoning,
    ScriptError,
    Text,
    ToolCall,
)
from agentlin_server.models.scripted import ScriptedModel

pytestmark = pytest.mark.anyio


def asks(text: str = "Hi", model: str = "m") -> ModelRequest:
    return ModelRequest(model=model, messages=[{"role": "user", "content": text}])


async def played(model: ScriptedModel, request: ModelRequest | None = None) -> list[Chunk]:
    with anyio.fail_after(5):
        async with model.stream(request or asks()) as batches:
            return [chunk async for batch in batches for chunk in batch]


async def test_every_step_becomes_its_chunks() -> None:
    model = ScriptedModel(
        [
            Answer(
                (
                    Reasoning("Let me", "words"),
                    Text("Hello", 3),
                    ToolCall("f", '{"x":1}', "call_1", 4),
                    ToolCall("g"),
                    ProviderState({"signature": "s"}),
                    Usage(input_tokens=1),
                )
            )
        ]
    )
    assert await played(model) == [
        ReasoningDelta("Let "),
        ReasoningDelta("me"),
        TextDelta("Hel"),
        TextDelta("lo"),
        ToolCallDelta(0, "call_1", "f"),
        ToolCallDelta(0, arguments='{"x"'),
        ToolCallDelta(0, arguments=":1}"),
        ToolCallDelta(1, "", "g"),
        ToolCallDelta(1, arguments="{}"),
        ProviderState({"signature": "s"}),
        Usage(input_tokens=1),
        Finish("tool_calls"),
    ]
    assert model.calls[0].outcome == "finished"
    assert model.requests == [asks()]
    assert model.provider == "scripted"


async def test_a_finish_in_the_script_is_the_only_one() -> None:
    model = ScriptedModel([Answer((Text("Hi"), Finish("length")))])
    assert await played(model) == [TextDelta("Hi"), Finish("length")]


async def test_answers_are_given_once_in_order_unless_they_repeat_or_do_not_match() -> None:
    model = ScriptedModel(
        [
            Answer((Text("rain"),), match="weather"),
            Answer((Text("one"),)),
            Answer((Text("two"),)),
            Answer((Text("again"),), match="^Hi$", repeat=True),
        ]
    )
    said = [
        (await played(model, asks(text)))[0]
        for text in ("Hi", "the weather?", "weather", "Hi", "Hi")
    ]
    assert said == [TextDelta(text) for text in ("one", "rain", "two", "again", "again")]
    with pytest.raises(ModelRequestError, match="no answer for call 6"):
        await played(model, asks("else"))
    assert model.calls[-1].outcome == "failed"


async def test_an_answer_can_wait_for_the_results_of_tools_whoever_began_the_script() -> None:
    script = [Answer((Text("first"),), results=0), Answer((Text("then"),), results=1)]
    earlier = [{"role": "tool"}, {"role": "user", "content": "Hi"}]
    with_result = ModelRequest(model="m", messages=[*earlier, {"role": "tool"}])
    for _ in range(2):  # as in a server that was started again
        assert (await played(ScriptedModel(script), with_result))[0] == TextDelta("then")
    without = ModelRequest(model="m", messages=earlier)
    assert (await played(ScriptedModel(script), without))[0] == TextDelta("first")


async def test_a_function_may_decide() -> None:
    model = ScriptedModel(lambda request: Answer((Text(request.model),)))
    assert await played(model, asks(model="x")) == [TextDelta("x"), Finish("stop")]


async def test_echo_needs_no_script() -> None:
    assert await played(ScriptedModel(), asks("one two", model="echo")) == [
        TextDelta("one "),
        TextDelta("two"),
        Usage(input_tokens=2, output_tokens=2),
        Finish("stop"),
    ]


async def test_a_failure_comes_on_entry_if_first_else_in_the_middle() -> None:
    model = ScriptedModel(
        [
            Answer((Fail("authentication"),)),
            Answer((Text("Hi"), Fail("rate_limit", "slow", 429, retry_after_s=3.0))),
        ]
    )
    with pytest.raises(ModelAuthenticationError):
        await model.stream(asks()).__aenter__()
    async with model.stream(asks()) as batches:
        assert await anext(batches) == (TextDelta("Hi"),)
        with pytest.raises(ModelRateLimitError, match="slow") as caught:
            await anext(batches)
    assert (caught.value.status, caught.value.retry_after_s, caught.value.retryable) == (
        429,
        3.0,
        True,
    )
    assert [call.outcome for call in model.calls] == ["failed", "failed"]


async def test_the_retryable_flag_of_a_failure_can_be_set() -> None:
    with pytest.raises(ModelStreamError) as caught:
        await played(ScriptedModel([Answer((Fail("stream", retryable=False),))]))
    assert not caught.value.retryable


async def test_delays_are_slept_before_each_delta() -> None:
    slept: list[float] = []

    async def sleep(delay_s: float) -> None:
        slept.append(delay_s)

    await played(ScriptedModel([Answer((Delay(2.0), Text("abc", 1, 0.5)))], sleep=sleep))
    assert slept == [2.0, 0.5, 0.5, 0.5]


async def test_a_gate_holds_the_answer_until_it_opens() -> None:
    event, passed = anyio.Event(), list[str]()

    async def hook() -> None:
        passed.append("hook")

    model = ScriptedModel(
        [Answer((Gate("named"), Text("a"), Gate(event), Text("b"), Gate(hook)))],
        gates={"named": hook},
    )
    got: list[Chunk] = []

    async def read() -> None:
        async with model.stream(asks()) as batches:
            async for batch in batches:
                got.extend(batch)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tg:
            tg.start_soon(read)
            await anyio.wait_all_tasks_blocked()
            assert got == [TextDelta("a")]
            assert model.calls[0].outcome == "open"
            event.set()
    assert got == [TextDelta("a"), TextDelta("b"), Finish("stop")]
    assert passed == ["hook", "hook"]


async def test_a_reader_that_leaves_early_is_noted() -> None:
    model = ScriptedModel([Answer((Text("abc", 1),))])
    async with model.stream(asks()) as batches:
        assert await anext(batches) == (TextDelta("a"),)
    assert model.calls[0].outcome == "closed_early"


@pytest.mark.parametrize("step", [Gate("nope"), Fail("nope")])
def test_an_unknown_gate_or_error_is_refused_at_once(step: Gate | Fail) -> None:
    with pytest.raises(ScriptError, match="'nope'"):
        ScriptedModel([Answer((step,))])


async def test_a_script_file_is_played(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("- text: Hello")
    assert await played(ScriptedModel.from_file(tmp_path / "s.yaml")) == [
        TextDelta("Hello"),
        Finish("stop"),
    ]

"""Valid event streams in wire form: hypothesis strategies, and one simple stream.

    @given(valid_streams())
    def test_...(events: list[dict[str, Any]]) -> None: ...

Every stream passes the OrderValidator (`test_order.py` holds that), whatever is drawn.
"""

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

from tests.types.stream_builder import Event, StreamBuilder, ask, error, rollout, usage

Draw = Callable[[st.SearchStrategy[Any]], Any]

pieces = st.lists(st.text(min_size=1, max_size=6), max_size=4)
"""The deltas of one text."""


def simple_stream(*deltas: str) -> list[Event]:
    """Return the stream of a task that answers with these deltas and completes."""
    build = StreamBuilder()
    build.start()
    build.begin_call()
    message = build.add_message()
    build.add_part(message)
    build.text(message, *deltas)
    build.finish(message, usage=usage(), finish_reason="stop")
    build.emit("task.completed")
    return build.events


_usages = st.builds(usage, st.integers(0, 99), st.integers(0, 99), estimated=st.booleans())
_ENDINGS = ("completed", "failed", "canceled", "expired", "paused", "input_required")


@st.composite
def valid_streams(draw: Draw) -> list[Event]:
    """Draw a whole stream, to a final or resting event: steps, tools, crashes, rests, media."""
    build = StreamBuilder()
    build.create(metadata=draw(st.none() | st.just({"x": 1})))
    if draw(st.booleans()):
        build.emit("task.queued")
    build.emit("task.working")
    build.emit("task.tools_updated", tools=[])
    for _ in range(draw(st.integers(0, 3))):
        _draw_step(draw, build)
        if draw(st.sampled_from((False, False, True))):
            _draw_interlude(draw, build)
    _draw_ending(draw, build)
    return build.events


def _draw_step(draw: Draw, build: StreamBuilder) -> None:
    if draw(st.sampled_from((False, False, True))):
        for stage, fields in (
            ("created", {}),
            ("in_progress", {}),
            ("completed", {"usage": draw(_usages)}),
        ):
            build.emit(f"task.context_compression.{stage}", **fields)
    build.begin_call()
    while draw(st.sampled_from((False, False, True))):
        _draw_crash(draw, build)
        build.begin_call(again=True)
    calls = _draw_call(draw, build)
    if draw(st.booleans()):
        build.emit("task.rollout", **rollout(build.step, is_answer=not calls))
    _draw_results(draw, build, calls)


def _draw_call(draw: Draw, build: StreamBuilder) -> list[str]:
    """Write the items of a model call that finishes; return the ids of its tool calls."""
    if draw(st.booleans()):
        build.finish(_draw_reasoning(draw, build))
    calls = [f"call_{build.step}_{n}" for n in range(draw(st.integers(0, 2)))]
    end = {"usage": draw(_usages), "finish_reason": "tool_calls" if calls else "stop"}
    if not calls or draw(st.booleans()):
        build.finish(_draw_message(draw, build), **({} if calls else end))
    open_calls = [build.add_call(call_id=call) for call in calls]
    for item_id in open_calls:
        build.arguments(item_id, *draw(pieces))
    for item_id in open_calls:
        build.finish(item_id, **(end if item_id == open_calls[-1] else {}))
    return calls


def _draw_crash(draw: Draw, build: StreamBuilder) -> None:
    """Write a model call that breaks off, and what recovers it."""
    finished = [_draw_reasoning(draw, build)] if draw(st.booleans()) else []
    for item_id in finished:
        build.finish(item_id)
    if draw(st.booleans()):
        _draw_message(draw, build)
    for item_id in finished:
        build.spoil(item_id)
    build.close_all()
    if draw(st.booleans()):
        build.emit("task.queued")
        build.emit("task.working")


def _draw_reasoning(draw: Draw, build: StreamBuilder) -> str:
    item_id = build.add_reasoning()
    for index in range(draw(st.integers(0, 2))):
        build.add_summary(item_id, index)
        build.text(item_id, *draw(pieces), index=index, place="summary")
    build.add_part(item_id)
    build.text(item_id, *draw(pieces))
    return item_id


def _draw_message(draw: Draw, build: StreamBuilder) -> str:
    item_id = build.add_message()
    count = draw(st.integers(0, 2))
    for index in range(count):
        build.add_part(item_id, index)
        build.text(item_id, *draw(pieces), index=index)
    if draw(st.sampled_from((False, False, True))):
        audio = {"type": "output_audio", "input_audio": {"data": "", "format": "wav"}}
        build.add_part(item_id, count, audio)
        for piece in draw(st.lists(st.sampled_from(("QUJD", "REVG")), max_size=3)):
            build.emit("task.audio.delta", item_id=item_id, agent_step=build.step, delta=piece)
    return item_id


def _draw_results(draw: Draw, build: StreamBuilder, calls: Sequence[str]) -> None:
    """Write the results of calls: all by the server, or all by the client in two rounds."""
    if calls and draw(st.booleans()):
        for position, call in enumerate(calls):
            ask(build, *calls[position:])
            _draw_result(draw, build, call)
        build.emit("task.queued")
        build.emit("task.working")
        return
    for call in calls:
        _draw_result(draw, build, call)


def _draw_result(draw: Draw, build: StreamBuilder, call: str) -> None:
    if build.fold.status == "working" and draw(st.sampled_from((False, True))):
        build.add_result(call)  # the tool was running at a crash, and is run again
        build.close_all()
    item_id = build.add_result(call)
    for text in draw(pieces):
        fragment: Any = draw(st.sampled_from((text, [text], [{"type": "text", "text": text}])))
        build.result(item_id, fragment, [{"type": "text", "text": text}, {"type": "rule"}])
    build.finish(item_id)


def _draw_interlude(draw: Draw, build: StreamBuilder) -> None:
    if draw(st.booleans()):
        build.emit("task.paused")
    build.emit("task.queued")
    build.emit("task.working")


def _draw_ending(draw: Draw, build: StreamBuilder) -> None:
    ending = draw(st.sampled_from(_ENDINGS))
    if ending == "input_required":
        build.begin_call()
        build.finish(build.add_call(call_id="call_ask"), usage=draw(_usages))
        ask(build, "call_ask")
        return
    if ending != "completed":
        build.begin_call()
        (_draw_message if draw(st.booleans()) else _draw_reasoning)(draw, build)
        if ending != "paused":
            build.add_call(call_id="call_cut")
        build.close_all()
    fields = {"error": error()} if ending in ("failed", "expired") else {}
    build.emit(f"task.{ending}", **fields)

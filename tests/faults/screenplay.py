"""What the model says in these tests: each task's message holds a plan, and the model plays it.

A plan has one step for each model call. Which one comes next follows from the messages that
the model gets, not from what it played before: so a plan goes on after any restart.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from agentlin_server.domain.model import ModelRequest, Usage
from agentlin_server.models.script import (
    Answer,
    Delay,
    Fail,
    Reasoning,
    Step,
    Text,
    ToolCall,
    last_user_text,
)

HEARD: Final = "heard "


class Call(msgspec.Struct, frozen=True, omit_defaults=True):
    """A tool call of a step."""

    name: str
    arguments: dict[str, Any] = {}


class PlanStep(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one model call answers.

    Attributes:
        thoughts: Words of reasoning.
        words: Words of text.
        delay_s: Pause before each word, in seconds.
        calls: The tools it calls.
        breaks: How often its stream breaks in the middle, in each process.
    """

    thoughts: int = 0
    words: int = 0
    delay_s: float = 0.0
    calls: tuple[Call, ...] = ()
    breaks: int = 0


class Plan(msgspec.Struct, frozen=True):
    """All that a task does; `name` is in every word, so that no task's text is another's."""

    name: str
    steps: tuple[PlanStep, ...]

    def message(self) -> str:
        """Return the user message that makes the model play it."""
        return msgspec.json.encode(self).decode()

    def text(self, step: int) -> str:
        """Return the text of a step, from 0, without what it heard."""
        return "".join(f"{self.name}.{step}.{n} " for n in range(self.steps[step].words))

    def thoughts(self, step: int) -> str:
        """Return the reasoning of a step, from 0."""
        return "".join(f"hm.{step}.{n} " for n in range(self.steps[step].thoughts))


def plan_of(message: str) -> Plan:
    """Return the plan that a message holds."""
    return msgspec.json.decode(message, type=Plan)


def heard_in(text: str) -> list[tuple[str, str]]:
    """Return the tool results that a step's text says the model saw: call id and content."""
    _, found, heard = text.partition(HEARD)
    return [(call_id, said) for call_id, said in json.loads(heard)] if found else []


class Screenplay:
    """Plays plans: a script for `ScriptedModel`."""

    def __init__(self) -> None:
        self._broken: Counter[tuple[str, int]] = Counter()

    def __call__(self, request: ModelRequest) -> Answer:
        """Return the answer to a request; the step is the number of answers with calls so far."""
        plan = plan_of(last_user_text(request))
        turn = _since_last_user(request.messages)
        number = sum(1 for message in turn if message.get("tool_calls"))
        step = plan.steps[number]
        steps: list[Step] = [
            Reasoning(plan.thoughts(number), "words", step.delay_s),
            Text(plan.text(number), "words", step.delay_s),
        ]
        if self._broken[plan.name, number] < step.breaks:
            self._broken[plan.name, number] += 1
            return Answer([*steps, Fail("stream", "it broke off")])
        if heard := list(_heard(turn)):
            steps.append(Text(HEARD + json.dumps(heard)))
        steps += [
            ToolCall(call.name, json.dumps(call.arguments), f"c{number}{position}", 8)
            for position, call in enumerate(step.calls)
        ]
        return Answer([*steps, Delay(0), Usage(input_tokens=1, output_tokens=1)])


def _since_last_user(messages: Sequence[Any]) -> list[Any]:
    last = max(n for n, message in enumerate(messages) if message.get("role") == "user")
    return list(messages[last + 1 :])


def _heard(turn: Sequence[Any]) -> Iterator[tuple[str, str]]:
    """Yield what the tools said since the last answer."""
    calls = [n for n, message in enumerate(turn) if message.get("tool_calls")]
    for message in turn[calls[-1] + 1 if calls else 0 :]:
        if message.get("role") == "tool":
            yield message["tool_call_id"], _text(message["content"])


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(part if isinstance(part, str) else part.get("text", "") for part in content)

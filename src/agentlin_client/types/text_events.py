"""Events of growing text: answer, reasoning, summary of reasoning.

The deltas of a text, joined, are its done text, byte for byte. Source: contract, sections 1
and 4 (Deltas).
"""

from typing import Literal

from ._event_base import ItemEvent, PartEvent
from .content import LogProb


class TaskTextDeltaEvent(PartEvent):
    """The answer grows."""

    type: Literal["task.text.delta"]
    """Always `task.text.delta`."""

    delta: str
    """The text to append."""

    logprobs: list[LogProb] | None = None
    """Log probabilities of the delta's tokens, where the provider gives them."""


class TaskTextDoneEvent(PartEvent):
    """A text of the answer is whole."""

    type: Literal["task.text.done"]
    """Always `task.text.done`."""

    text: str
    """The whole text."""

    logprobs: list[LogProb] | None = None
    """Log probabilities of all its tokens, where the provider gives them."""


class TaskReasoningTextDeltaEvent(PartEvent):
    """The reasoning grows."""

    type: Literal["task.reasoning_text.delta"]
    """Always `task.reasoning_text.delta`."""

    delta: str
    """The text to append."""


class TaskReasoningTextDoneEvent(PartEvent):
    """A text of the reasoning is whole."""

    type: Literal["task.reasoning_text.done"]
    """Always `task.reasoning_text.done`."""

    text: str
    """The whole text."""


class TaskReasoningSummaryTextDeltaEvent(PartEvent):
    """The summary of the reasoning grows."""

    type: Literal["task.reasoning_summary_text.delta"]
    """Always `task.reasoning_summary_text.delta`."""

    summary_index: int
    """Index of the part in the item's summary, from 0."""

    delta: str
    """The text to append."""


class TaskReasoningSummaryTextDoneEvent(ItemEvent):
    """A text of the summary of the reasoning is whole."""

    type: Literal["task.reasoning_summary_text.done"]
    """Always `task.reasoning_summary_text.done`."""

    summary_index: int
    """Index of the part in the item's summary, from 0."""

    text: str
    """The whole text."""

"""Takes `<think>...</think>` at the start of an answer apart into reasoning and text.

Many open models write their reasoning into the answer. Only a tag at the very start (white
space aside) counts: one in the middle is something that the model talks about.
"""

from enum import Enum, auto
from typing import Final

from agentlin_server.domain.model import ReasoningDelta, TextDelta

OPEN_TAG: Final = "<think>"
CLOSE_TAG: Final = "</think>"


class _State(Enum):
    START = auto()  # white space or a part of the opening tag so far
    REASONING = auto()  # after the opening tag
    AFTER = auto()  # after the closing tag, before the first character of the answer
    TEXT = auto()  # decided: all that follows is the answer


class ThinkSplitter:
    r"""Splits one answer; the tags may come in pieces.

    What cannot be told yet is held back, but never merged: held pieces come out as separate
    deltas. White space before the opening tag and line ends after either tag are dropped, so
    an empty thought leaves no reasoning at all. A chunk that a closing tag cuts loses its
    logprobs, for they cannot be told apart.

    >>> splitter = ThinkSplitter()
    >>> [splitter.feed(TextDelta(piece)) for piece in ("<thi", "nk>\nSo", "</think>\n\nHi")]
    [[], [ReasoningDelta(text='So')], [TextDelta(text='Hi', logprobs=())]]
    """

    __slots__ = ("_held", "_is_fresh", "_opening", "_state", "_tail")

    def __init__(self) -> None:
        self._state = _State.START
        self._held: list[TextDelta] = []  # START: the deltas not yet passed on
        self._opening = ""  # START: their text without leading white space, shorter than the tag
        self._tail = ""  # REASONING: what may be the beginning of the closing tag
        self._is_fresh = True  # REASONING: nothing but line ends so far

    @property
    def is_decided(self) -> bool:
        """Whether all that follows is plain text, so that feeding can stop."""
        return self._state is _State.TEXT

    def feed(self, delta: TextDelta) -> list[TextDelta | ReasoningDelta]:
        """Return the deltas that `delta` makes certain, in order; none of them is empty."""
        match self._state:
            case _State.START:
                return self._start(delta)
            case _State.REASONING:
                return self._reason(delta.text)
            case _State.AFTER:
                return self._after(delta)
            case _State.TEXT:
                return [delta]

    def flush(self) -> list[TextDelta | ReasoningDelta]:
        """Return what is held back, as what it now is: no more text will decide it."""
        out: list[TextDelta | ReasoningDelta] = [*self._held]
        if self._tail:
            out.append(ReasoningDelta(self._tail))
        self._held, self._tail, self._state = [], "", _State.TEXT
        return out

    def _start(self, delta: TextDelta) -> list[TextDelta | ReasoningDelta]:
        self._held.append(delta)
        self._opening = (self._opening + delta.text) if self._opening else delta.text.lstrip()
        if self._opening.startswith(OPEN_TAG):
            self._held = []
            self._state = _State.REASONING
            return self._reason(self._opening[len(OPEN_TAG) :])
        if OPEN_TAG.startswith(self._opening):
            return []
        return self.flush()

    def _reason(self, text: str) -> list[TextDelta | ReasoningDelta]:
        if self._is_fresh:
            text = text.lstrip("\r\n")
            self._is_fresh = not text
        held, whole = self._tail, self._tail + text
        end = whole.find(CLOSE_TAG)
        if end < 0:
            certain = len(whole) - _tag_beginning(whole)
            self._tail = whole[certain:]
            return _reasoning(held, whole[:certain])
        self._tail = ""
        self._state = _State.AFTER
        return _reasoning(held, whole[:end]) + self._after(TextDelta(whole[end + len(CLOSE_TAG) :]))

    def _after(self, delta: TextDelta) -> list[TextDelta | ReasoningDelta]:
        text = delta.text.lstrip("\r\n")
        if not text:
            return []
        self._state = _State.TEXT
        return [delta if len(text) == len(delta.text) else TextDelta(text)]


def _tag_beginning(text: str) -> int:
    """Return how many characters at the end of `text` may begin the closing tag."""
    for size in range(min(len(text), len(CLOSE_TAG) - 1), 0, -1):
        if CLOSE_TAG.startswith(text[-size:]):
            return size
    return 0


def _reasoning(held: str, certain: str) -> list[TextDelta | ReasoningDelta]:
    """Return `certain`, which begins with (a part of) `held`, as one delta per source piece."""
    cut = min(len(held), len(certain))
    return [ReasoningDelta(piece) for piece in (certain[:cut], certain[cut:]) if piece]

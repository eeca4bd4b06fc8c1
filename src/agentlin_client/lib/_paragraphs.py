"""Growing Markdown, cut where what came before can't change any more. Pure."""

from typing import Final

_FENCES: Final = ("```", "~~~")


class Paragraphs:
    r"""Text that grows: gives out whole paragraphs, and keeps the last one until it is whole.

    A paragraph is whole when a line that is not indented follows an empty line, outside of a code
    block. So what is given out can be shown for good, and what is kept is small; each line is
    looked at once.

    >>> text = Paragraphs()
    >>> text.feed("One\n\nTw"), text.feed("o"), text.rest
    ('One\n\n', '', 'Two')
    """

    __slots__ = ("_after_blank", "_fence", "_lines", "_partial")

    def __init__(self) -> None:
        """Begin with no text."""
        self._lines: list[str] = []  # whole ones, of the paragraph that is not whole
        self._partial = ""  # the last line, without its end
        self._fence = ""  # the line that opened the code block, empty outside of one
        self._after_blank = False

    def feed(self, delta: str) -> str:
        """Append a text; return the paragraphs that are whole by it."""
        *whole, self._partial = (self._partial + delta).split("\n")
        settled = "".join(self._take(line) for line in whole)
        return settled + self._settled_by(self._partial)

    @property
    def rest(self) -> str:
        """The text that is not whole yet."""
        return "".join(self._lines) + self._partial

    def tail(self, lines_max: int) -> str:
        """Return the end of `rest`, readable by itself: a code block that it is in is opened."""
        shown = self._lines[-lines_max:]
        is_cut = len(shown) < len(self._lines)
        opening = f"{self._fence}\n" if self._fence and is_cut else ""
        return opening + "".join(shown) + self._partial

    def _take(self, line: str) -> str:
        settled = self._settled_by(line)
        self._lines.append(f"{line}\n")
        mark = line.strip()
        if self._fence:
            opened = self._fence.strip()
            fence = opened[: len(opened) - len(opened.lstrip(opened[0]))]
            if mark.startswith(fence) and not mark.strip(fence[0]):
                self._fence = ""
        elif mark.startswith(_FENCES):
            self._fence = line
        self._after_blank = not mark and not self._fence
        return settled

    def _settled_by(self, line: str) -> str:
        """Return what is whole because `line` follows it; the line may not be whole itself."""
        if not self._after_blank or not line or line[0].isspace():
            return ""
        settled, self._lines = "".join(self._lines), []
        self._after_blank = False
        return settled

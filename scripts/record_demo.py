"""Record `agentlin demo crash` as an animated picture, docs/assets/demo-crash.svg.

The command runs in a pseudo-terminal; what it writes, and when, becomes an SVG that plays it again
and again, without a script or a font of its own. Where nothing is animated (or the reader asked
for less motion) the picture shows the end.
"""

import argparse
import errno
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Final

TARGET: Final = Path(__file__).parents[1] / "docs/assets/demo-crash.svg"
COLUMNS: Final = 80
SIZE_BYTES_MAX: Final = 200_000
LIMIT_S: Final = 120.0
_HOLD_S: Final = 5.0
"""How long the end stands before it plays again."""
_TICK_S: Final = 0.05
"""What is written within one tick appears together: a reader sees no difference."""

_CELL: Final = (8.4, 20)
"""Width and height of a character, in pixels."""
_MARGIN: Final = (16, 40)
_SEQUENCE: Final = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])")
_STYLES: Final = {"1": "bold", "2": "dim", "31": "red", "32": "green", "33": "yellow"}


@dataclass(frozen=True, slots=True)
class Written:
    """What the command wrote at once, `at` seconds after its start."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Fragment:
    """Characters that stand side by side, look alike and appear together."""

    row: int
    column: int
    text: str
    styles: tuple[str, ...]
    tick: int


def recorded(command: Sequence[str], *, columns: int = COLUMNS) -> tuple[list[Written], int]:
    """Run a command in a pseudo-terminal; return what it wrote and its exit code.

    Raises:
        TimeoutError: it took longer than `LIMIT_S`; it is killed then.
    """
    reader, writer = pty.openpty()
    fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("AGENTLIN_", "COLUM"))}
    start = time.monotonic()
    with subprocess.Popen(
        command,
        stdin=writer,
        stdout=writer,
        stderr=writer,
        start_new_session=True,
        env=environment | {"TERM": "xterm-256color"},
    ) as process:
        os.close(writer)
        try:
            written = [Written(time.monotonic() - start, text) for text in _texts(reader, start)]
        except TimeoutError:
            process.kill()
            raise
        finally:
            os.close(reader)
    return written, process.returncode


def _texts(reader: int, start: float) -> Iterator[str]:
    """Yield what comes until the other side closes."""
    while True:
        left_s = start + LIMIT_S - time.monotonic()
        if left_s <= 0 or not select.select([reader], [], [], left_s)[0]:
            raise TimeoutError(f"the command took longer than {LIMIT_S:.0f} s")
        try:
            data = os.read(reader, 65536)
        except OSError as exc:
            if exc.errno == errno.EIO:  # how Linux says that nobody holds the terminal any more
                return
            raise
        if not data:
            return
        yield data.decode()


def fragments(written: Iterable[Written], *, columns: int = COLUMNS) -> list[Fragment]:
    """Return what stands where on an endless screen, and since when.

    Raises:
        ValueError: the command moves the cursor, which this terminal can't.
    """
    screen = _Screen(columns)
    for one in written:
        tick = round(one.at / _TICK_S)
        position = 0
        for sequence in _SEQUENCE.finditer(one.text):
            screen.write(one.text[position : sequence.start()], tick)
            screen.obey(sequence)
            position = sequence.end()
        screen.write(one.text[position:], tick)
    return screen.fragments


class _Screen:
    def __init__(self, columns: int) -> None:
        self.fragments: list[Fragment] = []
        self._columns = columns
        self._row = self._column = 0
        self._styles: tuple[str, ...] = ()

    def obey(self, sequence: re.Match[str]) -> None:
        """Change the style; what hides and shows the cursor is ignored."""
        if sequence[2] == "m":
            codes = sequence[1].split(";")
            kept = () if codes[0] in {"", "0"} else self._styles
            self._styles = (*kept, *(_STYLES[code] for code in codes if code in _STYLES))
        elif not sequence[1].startswith("?"):
            raise ValueError(f"the command moves the cursor: {sequence[0]!r}")

    def write(self, text: str, tick: int) -> None:
        """Put plain text on the screen, broken at the right edge."""
        for line in re.split(r"(\r?\n|\r)", text):
            if line in {"\n", "\r\n"}:
                self._row, self._column = self._row + 1, 0
            elif line == "\r":
                self._column = 0
            else:
                self._write_line(line, tick)

    def _write_line(self, text: str, tick: int) -> None:
        while text:
            if self._column == self._columns:
                self._row, self._column = self._row + 1, 0
            part = text[: self._columns - self._column]
            text = text[len(part) :]
            self._put(part, tick)
            self._column += len(part)

    def _put(self, text: str, tick: int) -> None:
        if bare := text.strip(" "):
            column = self._column + len(text) - len(text.lstrip(" "))
            self.fragments.append(Fragment(self._row, column, bare, self._styles, tick))


def animated(shown: Sequence[Fragment], *, title: str, columns: int = COLUMNS) -> str:
    """Return the SVG that shows each fragment from its tick on, again and again."""
    ticks = sorted({fragment.tick for fragment in shown} - {0})
    total_s = (ticks[-1] if ticks else 0) * _TICK_S + _HOLD_S
    rows = max((fragment.row for fragment in shown), default=0) + 1
    rules: list[str] = []
    for tick in ticks:
        percent = 100 * tick * _TICK_S / total_s
        rules.append(f"@keyframes k{tick}{{0%{{opacity:0}}{percent:.2f}%{{opacity:1}}}}")
        rules.append(f".t{tick}{{animation-name:k{tick}}}")
    return _SVG.format(
        width=round(columns * _CELL[0]) + 2 * _MARGIN[0],
        height=rows * _CELL[1] + _MARGIN[1] + 12,
        title=escape(title),
        total_s=f"{total_s:.2f}",
        rules="".join(rules),
        texts="\n".join(map(_text, shown)),
    )


def _text(one: Fragment) -> str:
    x = _MARGIN[0] + one.column * _CELL[0]
    y = _MARGIN[1] + one.row * _CELL[1] + 15
    classes = " ".join((*one.styles, f"t{one.tick}"))
    # The length is said, so that any monospaced font fits.
    return (
        f'<text class="{classes}" x="{x:.1f}" y="{y}" textLength="{len(one.text) * _CELL[0]:.1f}" '
        f'lengthAdjust="spacingAndGlyphs">{escape(one.text, quote=False)}</text>'
    )


_SVG: Final = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" \
height="{height}" role="img" aria-label="{title}">
<title>{title}</title>
<style>
text {{ font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; \
fill: #e6edf3; white-space: pre; animation: {total_s}s step-end infinite; }}
.bold {{ font-weight: bold; }}
.dim {{ fill: #8b949e; }}
.red {{ fill: #ff7b72; }}
.green {{ fill: #56d364; }}
.yellow {{ fill: #e3b341; }}
@media (prefers-reduced-motion: reduce) {{ text {{ animation: none; }} }}
{rules}
</style>
<rect width="100%" height="100%" rx="8" fill="#0d1117"/>
<circle cx="20" cy="18" r="6" fill="#ff5f56"/><circle cx="40" cy="18" r="6" fill="#ffbd2e"/>\
<circle cx="60" cy="18" r="6" fill="#27c93f"/>
{texts}
</svg>
"""


def main() -> int:
    """Record, write the picture, and say how large it is; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=TARGET)
    args = parser.parse_args()
    words = ("demo", "crash")
    written, code = recorded((sys.executable, "-m", "agentlin_server.cli", *words))
    if code:
        print(f"the demo ended with {code}:\n{''.join(one.text for one in written)}")
        return 1
    line = f"agentlin {' '.join(words)}"
    picture = animated(fragments([Written(0.0, f"$ {line}\r\n"), *written]), title=line)
    if len(picture.encode()) > SIZE_BYTES_MAX:
        print(f"the picture is larger than {SIZE_BYTES_MAX} bytes: {len(picture.encode())}")
        return 1
    args.output.write_text(picture, encoding="utf-8")
    print(f"{args.output.name}: {len(picture.encode()) / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())

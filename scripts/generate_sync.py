"""Write the blocking half of the SDK from its async half: one source, no logic written twice.

    python scripts/generate_sync.py            write the twins
    python scripts/generate_sync.py --check    say which are stale, exit with 1 if any is

`async_stream.py` is the source of `stream.py` beside it, `_async_stream.py` of `_stream.py`. What
changes: `async` and `await` go, names lose their `Async`, `async_` or `_async`, and the special
names of async Python become those of blocking Python; in comments and docstrings too. A line that
ends in `# async only` is left out, a comment `# sync only: <code>` becomes that code.
"""

import argparse
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
SOURCES: Final = ROOT / "src" / "agentlin_client"

_NAMES: Final = {
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "__aiter__": "__iter__",
    "__anext__": "__next__",
    "aclose": "close",
    "aiter": "iter",
    "aiter_bytes": "iter_bytes",
    "aiter_lines": "iter_lines",
    "aiter_raw": "iter_raw",
    "aiter_text": "iter_text",
    "anext": "next",
    "aread": "read",
    "asynccontextmanager": "contextmanager",
    "handle_async_request": "handle_request",
    "StopAsyncIteration": "StopIteration",
}
_WORD: Final = re.compile(r"\w+")
_ASYNC_PHRASE: Final = re.compile(r"\basync (?=def |with |for )|\bawait ")
_AWAITED: Final = re.compile(r"\(await ([\w.]+\([^()]*\))\)")  # `(await f()).x` in prose
_ONLY_ASYNC: Final = re.compile(r"^.*# async only\n", re.MULTILINE)
_ONLY_SYNC: Final = re.compile(r"# sync only:(?: |$)", re.MULTILINE)
_ARTICLE: Final = re.compile(r"\b([Aa])n (`?)Async(?=[A-Z])(?!(?:[AEIO]|API))")


def renamed(word: str) -> str:
    """Return the name that a name of the async half has in the blocking half.

    >>> renamed("AsyncClient"), renamed("_async_stream"), renamed("run_all_async")
    ('Client', '_stream', 'run_all')
    """
    if word in _NAMES:
        return _NAMES[word]
    word = re.sub(r"^(_*)Async(?=[A-Z])", r"\1", word)
    word = re.sub(r"^(_*)async_", r"\1", word)
    word = re.sub(r"(?<=[a-z])_async_", "_", word)
    return word if word == "is_async" else word.removesuffix("_async")


def sync_text(source: str) -> str:
    """Return the blocking twin of a module's text, not yet formatted."""
    source = _ONLY_ASYNC.sub("", source)
    source = _ONLY_SYNC.sub("", source)
    lines = source.splitlines(keepends=True)
    edits = list(_edits(source))
    for (row, column), length, text in sorted(edits, reverse=True):
        line = lines[row - 1]
        lines[row - 1] = line[:column] + text + line[column + length :]
    return "".join(lines)


def _edits(source: str) -> Iterator[tuple[tuple[int, int], int, str]]:
    """Yield (row and column, length, new text); a string of several lines gives several."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.NAME and token.string in {"async", "await"}:
            yield token.start, len(token.string) + 1, ""
        elif token.type == tokenize.NAME:
            yield token.start, len(token.string), renamed(token.string)
        elif token.type in {tokenize.STRING, tokenize.COMMENT}:
            row, column = token.start
            for offset, line in enumerate(token.string.split("\n")):
                start = column if offset == 0 else 0
                yield (row + offset, start), len(line), _prose(line)


def _prose(text: str) -> str:
    text = _ARTICLE.sub(r"\1 \2Async", _AWAITED.sub(r"\1", text))
    return _WORD.sub(lambda match: renamed(match[0]), _ASYNC_PHRASE.sub("", text))


def twins() -> dict[Path, Path]:
    """Return source -> twin, for every source there is."""
    found = sorted([*SOURCES.rglob("async_*.py"), *SOURCES.rglob("_async_*.py")])
    return {path: path.with_name(renamed(path.stem) + ".py") for path in found}


def generated(source: Path) -> str:
    """Return the whole twin of a source, formatted; its first line names the source."""
    notice = f"# Generated from {source.name} by scripts/generate_sync.py: change that one.\n\n"
    text = notice + sync_text(source.read_text(encoding="utf-8"))
    target = source.with_name(renamed(source.stem) + ".py")
    for arguments in (["check", "--select", "I", "--fix"], ["format"]):
        text = _ruff(*arguments, "--stdin-filename", str(target), "-", text=text)
    return text


def _ruff(*arguments: str, text: str) -> str:
    command = [sys.executable, "-m", "ruff", *arguments, "--quiet"]
    done = subprocess.run(
        command, input=text, capture_output=True, text=True, encoding="utf-8", check=False, cwd=ROOT
    )
    if done.returncode:
        raise SystemExit(f"ruff can't read a generated module: {done.stderr or done.stdout}")
    return done.stdout


def main() -> int:
    """Write the twins, or compare them; return the exit code."""
    parser = argparse.ArgumentParser(description="Write the blocking half of the SDK.")
    parser.add_argument("--check", action="store_true", help="write nothing, compare")
    is_check = parser.parse_args().check
    stale = 0
    for source, target in twins().items():
        text = generated(source)
        if target.exists() and target.read_text(encoding="utf-8") == text:
            continue
        stale += 1
        name = target.relative_to(ROOT)
        if is_check:
            print(f"{name} is stale: run scripts/generate_sync.py")
        else:
            target.write_text(text, encoding="utf-8")
            print(f"wrote {name}")
    return 1 if is_check and stale else 0


if __name__ == "__main__":
    raise SystemExit(main())

"""The examples of the docs: read from a page, run section by section, output and all."""

import gc
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any, Final

from agentlin_client import Client
from agentlin_client.testing import FakeServer, call, fail, hang, say, say_json

ROOT: Final = Path(__file__).parents[2]
_HEADING: Final = re.compile(r"^## (.+)$", re.MULTILINE)
_BLOCK: Final = re.compile(
    r"^```(?P<language>\w+)\n(?P<code>.*?)^```\n(?:\n```text\n(?P<output>.*?)^```\n)?",
    re.MULTILINE | re.DOTALL,
)

TIPS: Final = "Keep fixed hours. Darken the room. Leave the phone outside."
RIVER: Final = "The Nile, with 6,650 km."
SCRIPT: Final = f"""
- {{match: three tips, repeat: true, steps: [{{text: "{TIPS}", chunks: words}}]}}
- {{match: longest river, repeat: true, steps: [{{text: "{RIVER}", chunks: words}}]}}
- {{match: fly to Rome, repeat: true, text: "Have a good time!"}}
- match: warm is it
  results: 0
  repeat: true
  steps: [{{tool_call: {{name: get_temperature, arguments: '{{"city": "Rome"}}'}}}}]
- {{match: warm is it, results: 1, repeat: true, text: "It is 18 degrees in Rome."}}
"""
"""The part of what the model says that our own server's scripted model can play, too."""


@dataclass(frozen=True, slots=True)
class Block:
    """An example.

    Attributes:
        code: As it stands on the page.
        line: Of the page, on which the code begins; from 1.
        output: What it prints, None if the page does not show that.
    """

    language: str
    code: str
    line: int
    output: str | None


@dataclass(frozen=True, slots=True)
class Section:
    """What stands below a heading of the second level; its examples build on each other."""

    page: Path
    title: str
    blocks: tuple[Block, ...]

    @property
    def python(self) -> list[Block]:
        """The examples in Python."""
        return [block for block in self.blocks if block.language == "python"]

    def run(self) -> None:
        """Run the examples, one after the other, in one namespace.

        Raises:
            AssertionError: One prints something else than the page shows.
            Exception: What one raises.
        """
        namespace: dict[str, Any] = {"__name__": "__main__"}
        with leaving_open(namespace):
            for block in self.python:
                printed = StringIO()
                source = "\n" * (block.line - 1) + block.code  # so that errors name the line
                with redirect_stdout(printed):
                    exec(compile(source, self.page, "exec"), namespace)
                if block.output is not None:
                    lines = printed.getvalue().strip("\n").split("\n")
                    out = "".join(f"{line.rstrip()}\n" for line in lines)
                    assert out == block.output, f"{self.page.name}:{block.line} prints:\n{out}"


@contextmanager
def leaving_open(namespace: dict[str, Any]) -> Iterator[None]:
    """Let examples end as short programs do: without closing what they have opened."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        try:
            yield
        finally:
            for value in namespace.values():
                if isinstance(value, Client):
                    value.close()
            namespace.clear()
            gc.collect()


def sections_of(name: str) -> list[Section]:
    """Return the sections of a page that hold examples; what stands above the first is one, too."""
    page = ROOT / name
    text = page.read_text(encoding="utf-8")
    heads = [*_HEADING.finditer(text)]
    starts = [(0, "(top)"), *((head.end(), head[1]) for head in heads)]
    ends = [*(head.start() for head in heads), len(text)]
    sections = [
        Section(page, title, tuple(_blocks(text, start, end)))
        for (start, title), end in zip(starts, ends, strict=True)
    ]
    return [section for section in sections if section.blocks]


def _blocks(text: str, start: int, end: int) -> Iterator[Block]:
    for found in _BLOCK.finditer(text, start, end):
        line = text.count("\n", 0, found.start("code")) + 1
        yield Block(found["language"], found["code"], line, found["output"])


def scripted() -> FakeServer:
    """Return a server that knows what the examples ask."""
    fake = FakeServer()
    fake.on("three tips", say(TIPS))
    fake.on("longest river", say(RIVER))
    fake.on("as data", say_json({"name": "Nile", "length_km": 6650}))
    fake.on(
        "warm is it",
        [
            call("get_temperature", {"city": "Rome"}),
            lambda task: say(f"It is {task.results['get_temperature']} degrees in Rome."),
        ],
    )
    fake.on(lambda body: "What do these show?" in body["user_message_content"], _SEEN)
    fake.on("old report", [call("delete_file", {"name": "report.txt"}), "All right, I keep it."])
    fake.on("Pay the bill", [call("pay", {"euros": 7}), "It is paid."])
    fake.on("Please fail", fail("the model is overloaded"))
    fake.on("long novel", say("Call me ", hang()))
    fake.otherwise("Hello!")
    return fake


_SEEN: Final = say("A chart, and a note on sales.")


def three_river_tasks(fake: FakeServer) -> None:
    """Have tasks to list."""
    with fake.client() as client:
        for number in (1, 2, 3):
            client.tasks.create(
                stream=False,
                task_id=f"river-{number}",
                session_id="river-tasks",
                user_message_content="Which is the longest river?",
            )


def one_failure(fake: FakeServer) -> None:
    """Have something to retry, soon."""
    fake.fail_next(503, headers={"retry-after-ms": "1"})


BEFORE: Final[dict[str, Callable[[FakeServer], None]]] = {
    "Lists": three_river_tasks,
    "Retries": one_failure,
}
"""What has happened on the server before a section begins, by its title."""

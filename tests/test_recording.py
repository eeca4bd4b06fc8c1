"""The recording that opens the README: drawn from what a terminal showed, by ourselves."""

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Final
from xml.etree import ElementTree as ET

import pytest

ROOT: Final = Path(__file__).parents[1]
SVG: Final = "{http://www.w3.org/2000/svg}"
PICTURE: Final = ROOT / "docs/assets/demo-crash.svg"


@pytest.fixture(scope="module")
def record() -> ModuleType:
    spec = importlib.util.spec_from_file_location("record_demo", ROOT / "scripts/record_demo.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look it up
    spec.loader.exec_module(module)
    return module


def test_text_is_put_where_a_terminal_would_and_when_it_came(record: ModuleType) -> None:
    shown = record.fragments(
        [
            record.Written(0.0, "one two"),
            record.Written(1.0, "three\r\n  \x1b[2mdim\x1b[0m not"),
            record.Written(1.02, "\x1b[1;31m!\x1b[0m"),
        ],
        columns=10,
    )
    assert [(f.row, f.column, f.text, f.styles, f.tick) for f in shown] == [
        (0, 0, "one two", (), 0),
        (0, 7, "thr", (), 20),
        (1, 0, "ee", (), 20),
        (2, 2, "dim", ("dim",), 20),
        (2, 6, "not", (), 20),
        (2, 9, "!", ("bold", "red"), 20),
    ]


def test_a_command_that_moves_the_cursor_is_refused(record: ModuleType) -> None:
    with pytest.raises(ValueError, match="moves the cursor"):
        record.fragments([record.Written(0.0, "\x1b[2J")])


def test_a_command_is_recorded_as_it_runs_in_a_terminal(record: ModuleType) -> None:
    program = "import sys; print(sys.stdout.isatty(), flush=True); sys.exit(3)"
    written, code = record.recorded((sys.executable, "-c", program))
    assert ("".join(one.text for one in written), code) == ("True\r\n", 3)
    assert all(0 < one.at < record.LIMIT_S for one in written)


def test_every_text_appears_at_its_time_and_none_is_hidden_without_animation(
    record: ModuleType,
) -> None:
    shown = record.fragments([record.Written(0.0, "$ <a>\r\n"), record.Written(5.0, "b & c")])
    picture = record.animated(shown, title="t")
    texts = ET.fromstring(picture).findall(f"{SVG}text")
    assert [(text.text, text.get("class")) for text in texts] == [
        ("$ <a>", "t0"),
        ("b & c", "t100"),
    ]
    assert "@keyframes k100{0%{opacity:0}50.00%{opacity:1}}" in picture
    assert not re.search(r"(?<!\{0%\{)opacity:0", picture)


def test_the_recording_is_small_self_contained_and_ends_well() -> None:
    data = PICTURE.read_bytes()
    assert len(data) < 200_000
    root = ET.fromstring(data)
    assert {element.tag.removeprefix(SVG) for element in root.iter()} == {
        "svg", "title", "style", "rect", "circle", "text",
    }  # fmt: skip
    assert not re.search(rb"url\(|@import|href|https?://(?!www\.w3\.org/2000/svg)", data)
    words = [text.text or "" for text in root.findall(f"{SVG}text")]
    assert words[0] == "$ agentlin demo crash"
    assert words[-1] == "events lost 0, duplicated 0, side effects 1 of 1"
    assert any("server killed (-9)" in one for one in words)

"""Tests of the measuring of SDKs: what they are fed, what is counted, how it is judged."""

import ast
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest

from benchmarks import sdk_wire as wire
from benchmarks.processes import BenchmarkError, Processes, free_port
from benchmarks.rows import Target
from benchmarks.sdk import FAILED, OK, SHORT, exit_code, measure_parts, parse_arguments, section
from benchmarks.sdk_environment import AS_TESTED, Pythons, pinned_versions
from benchmarks.sdk_probe import FRAMINGS, PROBES, Scale, WrongAnswerError, check_events
from benchmarks.sdk_published_events import events, source
from benchmarks.sdk_rows import HEADINGS, PARTS, ROWS, Result
from benchmarks.sdk_starts import STEPS, programs
from benchmarks.sdk_subjects import SUBJECTS, Ours, streaming

TINY = Scale(events=wire.BLOCK, alone=3, passes=1, creates=1, batches=1, clients=2)
ALL = tuple(SUBJECTS)


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Yield the port of a server that feeds the SDKs."""
    port = free_port()
    with Processes(tmp_path_factory.mktemp("logs")) as processes:
        command = [sys.executable, "-m", "benchmarks.sdk_server", str(port)]
        processes.start("server", command, port=port, core=None, env={})
        yield port


@pytest.mark.parametrize("kind", ["tasks", "responses"])
def test_text_deltas_have_the_size_that_the_issue_names(kind: wire.Kind) -> None:
    """About 230 bytes of JSON, in both protocols."""
    for frame in wire.deltas(kind, 3)[:-1]:
        assert 220 <= len(frame.partition(b"data: ")[2].strip()) <= 240  # noqa: PLR2004 - as named


@pytest.mark.parametrize("size", FRAMINGS.values())
@pytest.mark.parametrize("is_crlf", [False, True])
def test_events_are_the_same_however_their_stream_is_cut(
    size: int | None, *, is_crlf: bool
) -> None:
    """What every SDK is checked for, here with ours."""
    frames = wire.deltas("tasks", 30)
    frames = wire.with_crlf(frames) if is_crlf else frames
    assert (b"\r\n\r\n" in frames[0], b"\n\n" in frames[0]) == (is_crlf, not is_crlf)
    items = list(Ours().stream(streaming(Ours(), wire.cut(frames, size))))
    check_events(Ours(), items, count=30)


def test_nine_in_ten_events_of_the_mix_are_text_deltas_and_all_are_of_known_types() -> None:
    """An UnknownEvent would be decoded faster."""
    blocks = 2
    found = list(Ours().stream(streaming(Ours(), wire.mixed(blocks))))
    names = [type(event).__name__ for event in found]
    assert names.count("TaskTextDeltaEvent") == blocks * wire.BLOCK_DELTAS
    assert len(names) == blocks * wire.BLOCK + 3
    assert set(names) <= {event.__name__ for event in events()}


def test_a_stream_that_lacks_an_event_is_no_fast_answer() -> None:
    """Nor one whose events are of another class, or hold another text."""
    items = list(Ours().stream(streaming(Ours(), wire.deltas("tasks", 5))))
    with pytest.raises(WrongAnswerError, match="6 events"):
        check_events(Ours(), items, count=4)
    with pytest.raises(WrongAnswerError, match="TaskCompletedEvent"):
        check_events(Ours(), [*items[:-2], items[-1], items[-1]], count=5)
    changed = [frame.replace(b"bench", b"Bench") for frame in wire.deltas("tasks", 5)]
    with pytest.raises(WrongAnswerError, match="not what was sent"):
        check_events(Ours(), list(Ours().stream(streaming(Ours(), changed))), count=5)


def test_the_published_client_gets_the_36_classes_that_ours_has() -> None:
    """With the same fields, in the order of our union; nothing of ours is left in them."""
    tree = ast.parse(source())
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    names = [event.__name__ for event in events()]
    assert len(names) == 36  # noqa: PLR2004 - the contract's number
    for event in events():
        fields = [n.target for n in classes[event.__name__].body if isinstance(n, ast.AnnAssign)]
        assert [ast.unparse(field) for field in fields] == list(event.model_fields)
    assert set(classes) - set(names) == {"FunctionTool", "FunctionDefinition", "Envelope"}
    (union,) = (node for node in tree.body if isinstance(node, ast.Assign))
    assert f"Union[{', '.join(names)}], PropertyInfo" in ast.unparse(union)
    assert "Unknown" not in source()


@pytest.mark.parametrize("probe", ["decode", "create", "large", "clients"])
def test_a_probe_finds_every_figure_that_its_rows_show(probe: str) -> None:
    """In memory, with ours."""
    figures = PROBES[probe](Ours(), TINY)
    assert {row.figure for row in ROWS if row.part == probe} <= figures.keys()


@pytest.mark.parametrize("probe", ["loopback", "loopback_async", "clients_used"])
def test_a_probe_over_loopback_finds_every_figure_that_its_rows_show(probe: str, port: int) -> None:
    """Against the server that the benchmark uses; with aiohttp only in the benchmark itself."""
    figures = PROBES[probe](Ours(), replace(TINY, port=port))
    assert {row.figure for row in ROWS if row.part == probe} <= figures.keys()


def test_every_part_has_its_probe() -> None:
    """`start` is measured from outside."""
    assert set(PARTS) == {"start", *PROBES}
    steps = {row.figure for row in ROWS if row.part == "start"}
    assert all(steps == programs(subject, "http://nowhere").keys() for subject in STEPS)
    assert set(STEPS) == set(ALL)


@pytest.mark.parametrize("mode", ["flat", "alone"])
@pytest.mark.parametrize("path", ["tasks/x/events", "responses"])
def test_the_server_sends_one_event_per_http_chunk(port: int, mode: str, path: str) -> None:
    """As httpx sees it: a chunk of HTTP is a chunk of its stream."""
    url = f"http://127.0.0.1:{port}/{mode}-4/v1/{path}"
    with httpx.stream("POST", url, json={}, timeout=5) as response:
        kind: wire.Kind = "responses" if path == "responses" else "tasks"
        assert list(response.iter_raw()) == wire.deltas(kind, 4)


class _Fake:
    """Measures nothing: every figure of a subject is the same."""

    FIGURES: ClassVar[Mapping[str, float]] = {"published": 4.0, "openai": 5.0, "ours": 1.0}

    def __init__(self, *, failing: str = "") -> None:
        self.asked: list[str] = []
        self._failing = failing

    def __call__(self, part: str, subject: str) -> dict[str, float]:
        self.asked.append(subject)
        if subject == self._failing:
            raise BenchmarkError("broken")
        return {row.figure: self.FIGURES[subject] for row in ROWS if row.part == part}


def test_subjects_take_turns_and_so_does_their_order() -> None:
    """A machine that slows down slows all of them."""
    fake = _Fake()
    (result,) = measure_parts(fake, ["create"], rounds=2)
    assert fake.asked == [*ALL, *reversed(ALL)]
    assert result.rounds == {name: [value * 1e6] * 2 for name, value in _Fake.FIGURES.items()}
    assert result.ratios == [0.25, 0.25]
    assert (result.verdict, exit_code([result], is_checked=True)) == ("ok", OK)


@pytest.mark.parametrize("failing", ["published", "ours"])
def test_a_subject_that_fails_is_asked_once_and_never_passes(failing: str) -> None:
    """Without the published client there is nothing to compare with."""
    fake = _Fake(failing=failing)
    results = measure_parts(fake, ["create"], rounds=3)
    assert fake.asked.count(failing) == 1
    assert [result.verdict for result in results] == ["failed"]
    assert exit_code(results, is_checked=False) == FAILED


def _result(limit: float, **fields: Any) -> Result:
    row = replace(ROWS[0], target=Target("ratio", "<=", limit), **fields)
    return Result(row, {"published": [10.0, 20.0, 40.0], "ours": [1.0, 4.0, 4.0]})


def test_a_ratio_is_the_median_of_the_rounds_ratios() -> None:
    """Not that of the medians: the two of a round saw the same machine."""
    cells = dict(zip(HEADINGS, _result(0.10).cells(), strict=True))
    assert (cells["published"], cells["ours"]) == ("20", "4")
    assert (cells["ours / published"], cells["its spread"]) == ("0.1", "0.1 to 0.2")


def test_only_a_missed_gate_fails_the_check() -> None:
    """A missed goal is shown, no more."""
    gate, goal = _result(0.05, is_gate=True), _result(0.05, is_gate=False)
    assert gate.verdict == goal.verdict == "short by 100.0%"
    assert (gate.row.target_shown, goal.row.target_shown) == ("gate <= 0.05 x", "goal <= 0.05 x")
    assert section([gate, goal]).missed == ["`import`: short by 100.0%"]
    assert exit_code([goal], is_checked=True) == OK
    assert exit_code([gate], is_checked=True) == SHORT
    assert exit_code([gate], is_checked=False) == OK


def test_import_decode_and_create_are_the_gates() -> None:
    """As the issue says; the rest are goals."""
    assert {(row.part, row.figure) for row in ROWS if row.is_gate} == {
        ("start", "import"),
        ("create", "call"),
        *(("decode", f"{name}-{end}") for name in FRAMINGS for end in ("lf", "crlf")),
    }


def test_each_subject_finds_its_own_client_and_writes_its_byte_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing that the user's environment says about either."""
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("AGENTLIN_API_KEY", "k")
    python = Path(sys.executable)
    ours, published = tmp_path / "ours", tmp_path / "published"
    pythons = Pythons(base=python, aiohttp=python, source=ours, events=published)
    for subject, folder in (("ours", ours), ("published", published)):
        variables = pythons.variables(subject)
        assert variables["PYTHONPATH"].split(os.pathsep)[1:] == [str(folder)]
        assert {"PYTHONDONTWRITEBYTECODE", "AGENTLIN_API_KEY"}.isdisjoint(variables)


def test_all_subjects_share_the_versions_that_ours_is_tested_with() -> None:
    """They are pinned, so the environments can be cached."""
    assert {*AS_TESTED, "aiohttp"} <= pinned_versions().keys()


def test_parts_are_measured_in_the_order_of_the_table() -> None:
    """Whatever the order on the command line; a short run has fewer rounds."""
    options = parse_arguments(["--parts", "create,start", "--quick"])
    assert (options.parts, options.rounds) == (["start", "create"], 2)

"""The rows of the table "Numbers to hold": what load each is measured with, and its target."""

import json
import operator
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal

from benchmarks.load import Load, Measured
from benchmarks.mock_provider import MARK
from benchmarks.processes import BenchmarkError, Cores, environment, run_to_end
from benchmarks.servers import Server

WARM_UP_TOKENS = 5
LOAD_TIMEOUT_S = 60.0
TIMEOUT_MARGIN_S = 15.0
"""How much longer than its load a load generator may live: its start, its settling."""


@dataclass(frozen=True, slots=True)
class Target:
    """What our figure, or its ratio to the relay's, must be: `sign` `limit`."""

    of: Literal["ratio", "figure"]
    sign: Literal[">=", "<="]
    limit: float

    def shortfall(self, value: float) -> float:
        """Return by which part of the limit `value` misses it, 0 if it does not.

        >>> Target("ratio", ">=", 0.5).shortfall(0.4)
        0.2
        """
        if {">=": operator.ge, "<=": operator.le}[self.sign](value, self.limit):
            return 0.0
        return round(abs(value - self.limit) / self.limit, 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The load of a row.

    Attributes:
        tokens: Deltas of an answer.
        rate: Deltas per second of an answer, 0 for flat out.
        connections: Requests in flight.
        requests: Requests of each connection, one after the other.
        pause_s: Pause before each request.
        stream: Whether the answer is asked for as a stream.
    """

    tokens: int
    rate: int = 0
    connections: int = 1
    requests: int = 1
    pause_s: float = 0.0
    stream: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the table.

    Attributes:
        key: Its name on the command line.
        title: Its name in the table.
        unit: Unit of its figures.
        target: What ours must reach.
        shape: The load; None for the resident memory, which needs none.
        quick: What differs in a short run.
        figure: What is read from a measurement.
        only_ours: The relay has no such request.
        minus_provider: The figure of the provider, asked directly in the same round, is subtracted.
    """

    key: str
    title: str
    unit: str
    target: Target
    shape: Shape | None = None
    quick: Mapping[str, int] = field(default_factory=dict[str, int])
    figure: Callable[[Measured], float | None] = field(default=lambda _: None)
    only_ours: bool = False
    minus_provider: bool = False


ROWS = (
    Row(
        key="flat",
        title="deltas per core-second, 100 streams flat out",
        unit="1/s",
        target=Target("ratio", ">=", 0.5),
        shape=Shape(tokens=2000, connections=100),
        quick={"tokens": 500},
        figure=lambda seen: seen.deltas / seen.cpu_s,
    ),
    Row(
        key="paced",
        title="CPU per 1,000 deltas, 50 streams at 100 per second",
        unit="ms",
        target=Target("ratio", "<=", 2.5),
        shape=Shape(tokens=300, rate=100, connections=50),
        quick={"tokens": 150},
        figure=lambda seen: seen.cpu_s * 1e6 / seen.deltas,
    ),
    Row(
        key="tiny",
        title="tiny tasks (5 tokens) per core-second",
        unit="1/s",
        target=Target("ratio", ">=", 0.25),
        shape=Shape(tokens=5, connections=32, requests=60),
        quick={"requests": 25},
        figure=lambda seen: seen.requests / seen.cpu_s,
    ),
    Row(
        key="first",
        title="added time to first token, p50, light load",
        unit="ms",
        target=Target("figure", "<=", 3.0),
        shape=Shape(tokens=5, requests=100, pause_s=0.01),
        quick={"requests": 50},
        figure=lambda seen: seen.first_delta_ms,
        minus_provider=True,
    ),
    Row(
        key="latency",
        title="token latency, provider to client, p50, light load",
        unit="ms",
        target=Target("figure", "<=", 0.5),
        shape=Shape(tokens=100, rate=50, connections=4),
        quick={"tokens": 50},
        figure=lambda seen: seen.token_latency_ms,
    ),
    Row(
        key="create",
        title="create without stream, 5 tokens, p50",
        unit="ms",
        target=Target("figure", "<=", 2.5),
        shape=Shape(tokens=5, requests=100, pause_s=0.01, stream=False),
        quick={"requests": 50},
        figure=lambda seen: seen.answer_ms,
        only_ours=True,
    ),
    Row(
        key="idle",
        title="idle server, resident memory",
        unit="MB",
        target=Target("figure", "<=", 70.0),
    ),
)
"""All rows, in the order of the design's table."""


def load_of(server: Server, shape: Shape) -> Load:
    """Return the load that drives `server` with `shape`."""
    model, warm_up_model = f"mock-{shape.tokens}-{shape.rate}", f"mock-{WARM_UP_TOKENS}-0"
    wire = server.wire
    return Load(
        port=server.port,
        path=wire.path,
        body=wire.body(model, stream=shape.stream),
        warm_up_body=wire.body(warm_up_model, stream=shape.stream),
        # An answer that is no stream is counted by its text, which it holds once.
        mark=wire.delta_mark if shape.stream else MARK,
        must_hold=wire.ending if shape.stream else '"completed"',
        deltas_expected=shape.tokens,
        deltas_expected_warm_up=WARM_UP_TOKENS,
        connections=shape.connections,
        requests=shape.requests,
        pause_s=shape.pause_s,
        cpu_of=server.pid,
        timeout_s=LOAD_TIMEOUT_S,
    )


def drive(server: Server, shape: Shape, *, cores: Cores) -> Measured:
    """Drive `server` with `shape` from a process of its own.

    Raises:
        BenchmarkError: an answer was not whole, or it took too long.
    """
    spec = json.dumps(asdict(load_of(server, shape)))
    argv = [sys.executable, "-m", "benchmarks.load", spec]
    timeout_s = LOAD_TIMEOUT_S + TIMEOUT_MARGIN_S
    output = run_to_end(argv, core=cores.load, timeout_s=timeout_s, env=environment({}))
    return Measured(**json.loads(output))


def figure(row: Row, server: Server, shape: Shape, *, cores: Cores) -> float:
    """Measure the figure of `row` once, in `row.unit`.

    Raises:
        BenchmarkError: as `drive`; or nothing was to be seen (no delta had a time stamp).
    """
    value = row.figure(drive(server, shape, cores=cores))
    if value is None:
        raise BenchmarkError("no sample: the frames of deltas are not as expected")
    return value

"""The picture of a task's life cycle; `generate_docs.py` writes it."""

import math
from collections.abc import Iterator, Mapping
from typing import Final

# Where the diagram has each status, in pixels; a status without a place is an error.
_PLACES: Final[Mapping[str, tuple[int, int]]] = {
    "created": (250, 40),
    "queued": (80, 130),
    "working": (420, 130),
    "paused": (250, 215),
    "input-required": (250, 305),
    "completed": (640, 95),
    "failed": (640, 165),
    "expired": (640, 255),
    "canceled": (640, 325),
}
_BOX: Final = (116, 34)
_SIZE: Final = (720, 370)
_BOW: Final = 18
"""How far an edge is bent if another one leads back."""
_MANY: Final = 4
"""A signal that leads from so many statuses to the same one is one arrow, which lists them."""

_Point = tuple[float, float]


def life_cycle_diagram() -> str:
    """Return the state diagram of a task as SVG, drawn from the table that the server uses."""
    from agentlin_server.domain.status import TERMINAL, TRANSITIONS, Status

    edges: dict[tuple[str, str], list[str]] = {}
    sources: dict[tuple[str, str], list[str]] = {}
    for (of, signal), following in TRANSITIONS.items():
        edges.setdefault((of.value, following.value), []).append(signal.value)
        sources.setdefault((signal.value, following.value), []).append(of.value)
    many = {move: froms for move, froms in sources.items() if len(froms) >= _MANY}
    parts: list[str] = []
    for (source, target), signals in edges.items():
        if own := [signal for signal in signals if (signal, target) not in many]:
            is_two_way = (target, source) in edges and source != target
            parts += _edge(source, target, " or ".join(own), bow=_BOW if is_two_way else 0)
    for (signal, target), froms in many.items():
        parts += _edge_from_many(signal, target, froms)
    parts += [_box(status.value, is_final=status in TERMINAL) for status in Status]
    return _SVG.format(width=_SIZE[0], height=_SIZE[1], parts="\n".join(parts))


_SVG: Final = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" \
height="{height}" role="img" aria-label="The statuses of a task and what leads from one to another">
<style>
text {{ font: 13px ui-sans-serif, system-ui, sans-serif; fill: #1f2328; text-anchor: middle; }}
.label {{ font-size: 12px; fill: #59636e; paint-order: stroke; stroke: #fff; stroke-width: 5px; }}
.from {{ font-size: 11px; text-anchor: end; }}
path {{ fill: none; stroke: #59636e; stroke-width: 1.3; marker-end: url(#tip); }}
rect {{ fill: #ddf4ff; stroke: #0969da; }}
.final {{ fill: #f6f8fa; stroke: #1f2328; stroke-width: 2; }}
.ground {{ fill: #fff; stroke: none; }}
</style>
<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" \
orient="auto"><path d="M0 0L8 4L0 8z" style="fill:#59636e;stroke:none;marker-end:none"/></marker>\
</defs>
<rect class="ground" width="{width}" height="{height}"/>
{parts}
</svg>
"""


def _box(status: str, *, is_final: bool) -> str:
    x, y = _PLACES[status]
    width, height = _BOX
    kind = ' class="final"' if is_final else ""
    return (
        f'<rect{kind} x="{x - width // 2}" y="{y - height // 2}" '
        f'width="{width}" height="{height}" rx="8"/><text x="{x}" y="{y + 4}">{status}</text>'
    )


def _edge(source: str, target: str, label: str, *, bow: int) -> Iterator[str]:
    """Yield an arrow and its label, bent to its left by `bow` pixels."""
    if source == target:
        x, y = _PLACES[source]
        low = y + _BOX[1] // 2
        yield f'<path d="M{x - 20} {low}C{x - 30} {low + 34} {x + 30} {low + 34} {x + 20} {low}"/>'
        yield f'<text class="label" x="{x}" y="{low + 38}">{label}</text>'
        return
    (x1, y1), (x2, y2) = _PLACES[source], _PLACES[target]
    length = math.hypot(x2 - x1, y2 - y1)
    across = ((y2 - y1) / length, (x1 - x2) / length)
    mid = ((x1 + x2) / 2 + 2 * bow * across[0], (y1 + y2) / 2 + 2 * bow * across[1])
    start, end = _border(source, mid), _border(target, mid)
    yield f'<path d="M{_at(start)}Q{_at(mid)} {_at(end)}"/>'
    top = tuple((a + 2 * b + c) / 4 for a, b, c in zip(start, mid, end, strict=True))
    yield f'<text class="label" x="{top[0]:.0f}" y="{top[1] + 4:.0f}">{label}</text>'


def _edge_from_many(signal: str, target: str, sources: list[str]) -> Iterator[str]:
    x, y = _PLACES[target]
    left = x - _BOX[0] // 2
    yield f'<path d="M{left - 70} {y}L{left} {y}"/>'
    yield f'<text class="label" x="{left - 40}" y="{y - 6}">{signal}</text>'
    right, low = x + _BOX[0] // 2, y + _BOX[1] // 2
    yield f'<text class="label from" x="{right}" y="{low + 16}">from {", ".join(sources)}</text>'


def _border(status: str, towards: _Point) -> _Point:
    """Return where a line from the middle of a status' box to a point leaves the box."""
    x, y = _PLACES[status]
    dx, dy = towards[0] - x, towards[1] - y
    scale = min(
        _BOX[0] / 2 / abs(dx) if dx else math.inf, _BOX[1] / 2 / abs(dy) if dy else math.inf
    )
    return x + dx * scale, y + dy * scale


def _at(point: _Point) -> str:
    return f"{point[0]:.0f} {point[1]:.0f}"

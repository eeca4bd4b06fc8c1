"""Write the parts of the docs that follow from code; with `--check`, fail if one is out of date.

A generated part stands between two comment lines in a page that is otherwise written by hand:
`<!-- generated: NAME -->` and `<!-- end -->`. The diagram is a file of its own.
"""

import ast
import importlib
import inspect
import math
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

DOCS: Final = Path(__file__).parents[1] / "docs"
_PART: Final = re.compile(r"(<!-- generated: (?P<name>[a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def _table(*rows: tuple[str, ...]) -> str:
    """Return a Markdown table; the first row is the head."""
    head, *body = rows
    lines = [head, ("---",) * len(head), *body]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def life_cycle() -> str:
    """Return the state table of a task: a row per status, and what each signal makes of it."""
    from agentlin_server.domain.status import TERMINAL, TRANSITIONS, Status

    rows = [("status", "signal -> next status")]
    for status in Status:
        moves = [
            f"{signal.value} -> `{following}`"
            for (of, signal), following in TRANSITIONS.items()
            if of is status
        ]
        rows.append((f"`{status}`", "final" if status in TERMINAL else "<br>".join(moves)))
    return _table(*rows)


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


def settings() -> str:
    """Return every setting: its variable, type and bounds, default and meaning."""
    from agentlin_server.settings import Settings

    prefix = Settings.model_config.get("env_prefix", "")
    return _table(("variable", "type", "default", "meaning"), *_settings_rows(Settings, prefix))


def _settings_rows(model: Any, prefix: str) -> Iterator[tuple[str, ...]]:
    for name, field in model.model_fields.items():
        if hasattr(field.annotation, "model_fields"):
            yield from _settings_rows(field.annotation, f"{prefix}{name}__")
            continue
        bounds = [*map(_bound, filter(_is_bound, field.metadata))]
        yield (
            f"`{_variable(field, prefix + name)}`",
            _cell(", ".join([_type_name(field.annotation), *bounds])),
            _setting_default(field),
            _cell(field.description or ""),
        )


def _variable(field: Any, name: str) -> str:
    """Return the variable that the field is read from: its last alias, else its own name."""
    choices = getattr(field.validation_alias, "choices", [name])
    return str(choices[-1]).upper()


def _setting_default(field: Any) -> str:
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True)
    if field.default_factory is not None and isinstance(default, Path | str):
        return "depends on the platform"  # the page must be the same wherever it is made
    return _cell(f"`{default}`") if default or default == 0 else "unset"


def _type_name(annotation: Any) -> str:
    """Return the type as one would write it, without the modules' names."""
    text = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    return re.sub(r"\b(?:\w+\.)+(?=\w)", "", text)


def _is_bound(metadata: Any) -> bool:
    """Tell constraints of the value from marks that say how to read it."""
    return not isinstance(metadata, type)


def _bound(constraint: Any) -> str:
    """Return what a constraint such as `Ge(ge=1)` says, e.g. `>= 1`."""
    signs = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}
    said = [
        f"{sign} {getattr(constraint, name)}"
        for name, sign in signs.items()
        if hasattr(constraint, name)
    ]
    return " and ".join(said) or str(constraint)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def cli() -> str:
    """Return what `--help` says of every command."""
    import typer.main

    from agentlin_server.cli import app

    return "\n\n".join(filter(None, _help_of(typer.main.get_command(app), "agentlin")))


def _help_of(command: Any, path: str) -> Iterator[str]:
    """Yield a section for the command, then for each below it; hidden ones are left out."""
    arguments = [param for param in command.params if param.param_type_name == "argument"]
    names = [
        param.name.upper() if param.required else f"[{param.name.upper()}]" for param in arguments
    ]
    yield f"## `{' '.join([path, *names])}`"
    yield _fenced((command.help or "").strip())
    if " " not in path:
        yield (command.epilog or "").strip()  # the same for all commands
    rows = [
        (f"`{' '.join(param.opts)}`", _cell(param.help or ""), _default(param))
        for param in command.params
        if param not in arguments and not param.hidden
    ]
    if rows:
        yield _table(("option", "meaning", "default"), *rows)
    for name, sub in sorted(getattr(command, "commands", {}).items()):
        if not sub.hidden:
            yield from _help_of(sub, f"{path} {name}")


def _fenced(text: str) -> str:
    """Return the help as Markdown: what stands after a backspace is code."""
    words, _, code = text.partition("\b\n")
    return f"{words}```bash\n{code}\n```" if code else words


def _default(param: Any) -> str:
    is_said = param.default is not None and param.default is not False
    return _cell(f"`{param.default}`") if is_said else ""


def names_of(module: str) -> str:
    """Return the public names of a module, each with the first words of its documentation.

    Raises:
        LookupError: One has none.
    """
    package = importlib.import_module(module)
    defined_in: Mapping[str, str] = getattr(package, "_MODULE_OF", {})
    rows = [("name", "meaning")]
    for name in sorted(package.__all__, key=str.lower):
        value: Any = getattr(package, name)
        home = defined_in.get(name)
        source = package if home is None else importlib.import_module(f".{home}", module)
        is_own = inspect.isclass(value) or inspect.isfunction(value) or inspect.ismodule(value)
        text = _constants_of(source).get(name) or (value.__doc__ if is_own else None)
        rows.append((f"`{name}`", _first_words(text, f"{module}.{name}")))
    return _table(*rows)


def members_of(module: str, name: str) -> str:
    """Return what an object of a class offers, each with the first words of its documentation.

    Raises:
        LookupError: Something has none.
    """
    cls: Any = getattr(importlib.import_module(module), name)
    rows = [("name", "meaning")]
    for member in sorted(dir(cls)):
        value = inspect.getattr_static(cls, member)
        if member.startswith("_"):
            continue
        call = _call_of(value) if inspect.isfunction(value) else ""
        rows.append((f"`{member}{call}`", _first_words(value.__doc__, f"{name}.{member}")))
    return _table(*rows)


def _call_of(function: Callable[..., Any]) -> str:
    """Return what a call needs, e.g. `(task_id, *, tool_results, ...)`."""
    _, *params = inspect.signature(function).parameters.values()
    needed = [param for param in params if param.default is param.empty]
    parts = [p.name for p in needed if p.kind is p.POSITIONAL_OR_KEYWORD]
    named = [p.name for p in needed if p.kind is p.KEYWORD_ONLY]
    parts += ["*", *named] if named else []
    parts += ["..."] if len(parts) - bool(named) < len(params) else []
    return f"({', '.join(parts)})"


def _constants_of(module: Any) -> dict[str, str]:
    """Return the texts below the assignments of a module, by the name that is assigned."""
    body = ast.parse(inspect.getsource(module)).body
    texts: dict[str, str] = {}
    for statement, below in pairwise(body):
        if not isinstance(below, ast.Expr) or not isinstance(below.value, ast.Constant):
            continue
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            texts[statement.target.id] = str(below.value.value)
        elif isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            texts[statement.targets[0].id] = str(below.value.value)
    return texts


def _first_words(text: str | None, of: str) -> str:
    """Return the first paragraph of a docstring."""
    if not text:
        raise LookupError(f"{of} is public and has no docstring")
    return _cell(inspect.cleandoc(text).partition("\n\n")[0])


PARTS: Final[Mapping[str, Callable[[], str]]] = {
    "cli": cli,
    "life-cycle": life_cycle,
    "sdk-client": partial(members_of, "agentlin_client", "Client"),
    "sdk-console": partial(names_of, "agentlin_client.lib.console"),
    "sdk-fake-server": partial(members_of, "agentlin_client.testing", "FakeServer"),
    "sdk-lib": partial(names_of, "agentlin_client.lib"),
    "sdk-names": partial(names_of, "agentlin_client"),
    "sdk-tasks": partial(members_of, "agentlin_client.resources.tasks", "Tasks"),
    "sdk-testing": partial(names_of, "agentlin_client.testing"),
    "settings": settings,
}
FILES: Final[Mapping[str, Callable[[], str]]] = {
    "assets/life-cycle.svg": life_cycle_diagram,
}
"""What is generated as a whole, by its path in `docs`."""


def rendered(page: str) -> str:
    """Return the page with each generated part made anew.

    Raises:
        KeyError: a page asks for a part that nobody makes.
    """
    return _PART.sub(lambda m: f"{m[1]}\n{PARTS[m['name']]()}\n\n{m[3]}", page)


def _generated() -> Iterator[tuple[Path, str]]:
    """Yield every page and every generated file, as they should be."""
    for path in sorted(DOCS.rglob("*.md")):
        yield path, rendered(path.read_text(encoding="utf-8"))
    for name, generate in FILES.items():
        yield DOCS / name, generate()


def main() -> int:
    """Write the pages, or check them; return the exit code."""
    check = "--check" in sys.argv[1:]
    stale: list[str] = []
    for path, fresh in _generated():
        if not path.exists() or path.read_text(encoding="utf-8") != fresh:
            stale.append(path.relative_to(DOCS).as_posix())
            if not check:
                path.parent.mkdir(exist_ok=True)
                path.write_text(fresh, encoding="utf-8")
    for name in stale:
        print(f"{name}: {'out of date, run `make docs`' if check else 'written'}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())

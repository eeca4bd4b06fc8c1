"""Write the parts of the docs that follow from code; with `--check`, fail if one is out of date.

A generated part stands between two comment lines in a page that is otherwise written by hand:
`<!-- generated: NAME -->` and `<!-- end -->`. The diagram is a file of its own.
"""

import ast
import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from life_cycle_diagram import life_cycle_diagram

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


_CREATE: Final = {"_TaskCreateParams", "TaskCreateParams"}
"""The classes whose fields are the parameters of `create`."""


def parameters() -> str:
    """Return the parameters of `create`, in its order, with the texts below their fields.

    Raises:
        LookupError: One has none.
    """
    from agentlin_client.resources.tasks import Tasks
    from agentlin_client.types import task_create_params as source

    texts: dict[str, str] = {}
    hints: dict[str, str] = {}
    for node in ast.parse(inspect.getsource(source)).body:
        if not isinstance(node, ast.ClassDef) or node.name not in _CREATE:
            continue
        texts |= _texts_in(node.body)
        fields = [field for field in node.body if isinstance(field, ast.AnnAssign)]
        hints |= {ast.unparse(field.target): ast.unparse(field.annotation) for field in fields}
    rows = [("name", "type", "meaning")]
    for name in inspect.signature(Tasks.create).parameters:
        if name in hints:  # the others are those of any method
            text = _first_words(texts.get(name), f"create({name}=)")
            rows.append((f"`{name}`", _cell(f"`{_plain(hints[name])}`"), text))
    return _table(*rows)


def _plain(hint: str) -> str:
    """Return a field's type without what is only for validators.

    >>> _plain("Required[str]"), _plain("Annotated[float, Field(gt=0)] | None")
    ('str', 'float | None')
    """
    return re.sub(r"Annotated\[(\w+), Field\(.*?\)\]|Required\[(\w+)\]", r"\1\2", hint)


def _constants_of(module: Any) -> dict[str, str]:
    """Return the texts below the assignments of a module, by the name that is assigned."""
    return _texts_in(ast.parse(inspect.getsource(module)).body)


def _texts_in(body: list[ast.stmt]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for statement, below in pairwise(body):
        if not isinstance(below, ast.Expr) or not isinstance(below.value, ast.Constant):
            continue
        if isinstance(statement, ast.AnnAssign):
            texts[ast.unparse(statement.target)] = str(below.value.value)
        elif isinstance(statement, ast.Assign):
            texts[ast.unparse(statement.targets[0])] = str(below.value.value)
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
    "sdk-create": parameters,
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

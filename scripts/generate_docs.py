"""Write the parts of the docs that follow from code; with `--check`, fail if one is out of date.

A generated part stands between two comment lines in a page that is otherwise written by hand:
`<!-- generated: NAME -->` and `<!-- end -->`.
"""

import re
import sys
from collections.abc import Callable, Iterator, Mapping
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


PARTS: Final[Mapping[str, Callable[[], str]]] = {
    "cli": cli,
    "life-cycle": life_cycle,
    "settings": settings,
}


def rendered(page: str) -> str:
    """Return the page with each generated part made anew.

    Raises:
        KeyError: a page asks for a part that nobody makes.
    """
    return _PART.sub(lambda m: f"{m[1]}\n{PARTS[m['name']]()}\n\n{m[3]}", page)


def main() -> int:
    """Write the pages, or check them; return the exit code."""
    check = "--check" in sys.argv[1:]
    stale: list[str] = []
    for path in sorted(DOCS.rglob("*.md")):
        page = path.read_text(encoding="utf-8")
        if (fresh := rendered(page)) != page:
            stale.append(path.relative_to(DOCS).as_posix())
            if not check:
                path.write_text(fresh, encoding="utf-8")
    for name in stale:
        print(f"{name}: {'out of date, run `make docs`' if check else 'written'}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())

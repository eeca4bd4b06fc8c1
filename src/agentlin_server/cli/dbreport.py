"""The report of `agentlin db size`, for people: tables on a terminal, else lines with tabs."""

from collections.abc import Sequence
from pathlib import Path

import typer
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from agentlin_server.cli.terminal import data_console, printable
from agentlin_server.store.sqlite.sizes import JournalSize, Sizes

Row = Sequence[str]


def print_sizes(path: Path, sizes: Sizes, *, server: str | None) -> None:
    """Write the report to standard output.

    Args:
        path: The database.
        sizes: What was found.
        server: Address of the server that uses it, if one does.
    """
    console = data_console()
    _print(console, ("", ""), _facts(path, sizes, server))
    mark = " (estimate)" if sizes.is_estimated else ""
    _print(console, ("TABLE", "ROWS", f"SIZE{mark}"), _tables(sizes))
    head = ("JOURNAL", "TASKS", "STEPS", "DELTAS", "SIZE", "PER DELTA", "PER STEP")
    journals = [_journal("sealed", sizes.sealed), _journal("not sealed", sizes.unsealed)]
    _print(console, head, journals)


def _facts(path: Path, sizes: Sizes, server: str | None) -> list[Row]:
    tasks = ", ".join(f"{n:,} {status}" for status, n in sizes.tasks.items())
    free = f"{decimal(sizes.free_bytes)} of it free" if sizes.free_bytes else "none of it free"
    return [
        ("database", printable(str(path))),
        ("schema", sizes.schema),
        ("server", server or "none"),
        ("file", f"{decimal(sizes.file_bytes)}, {free}"),
        ("log", decimal(sizes.wal_bytes)),
        ("tasks", tasks or "none"),
    ]


def _tables(sizes: Sizes) -> list[Row]:
    rows = [
        (one.name, f"{one.rows:,}", decimal(one.size_bytes)) for one in sizes.tables if one.rows
    ]
    empty_bytes = sum(one.size_bytes for one in sizes.tables if not one.rows)
    return [*rows, ("empty tables", "0", decimal(empty_bytes))]


def _journal(name: str, size: JournalSize) -> Row:
    counts = (f"{n:,}" for n in (size.tasks, size.steps, size.deltas))
    averages = (_average(size.bytes_per_delta), _average(size.bytes_per_step))
    return (name, *counts, decimal(size.size_bytes), *averages)


def _average(size_bytes: float | None) -> str:
    if size_bytes is None:
        return "-"
    return f"{size_bytes:,.1f} bytes"


def _print(console: Console, head: Row, rows: Sequence[Row]) -> None:
    if not console.is_terminal:
        for row in (head, *rows) if any(head) else rows:
            typer.echo("\t".join(row))
        return
    table = Table(box=None, pad_edge=False, header_style="bold", show_header=any(head))
    for n, name in enumerate(head):
        table.add_column(name, no_wrap=True, justify="left" if n == 0 or not name else "right")
    for row in rows:
        table.add_row(*row)
    console.print(table)
    console.out("")

"""How does a command show what it found?

In: rows and values. Out: a table for people on a terminal, plain aligned columns when piped, JSON with `--json`; a
progress bar on a terminal and nothing when piped. What strangers wrote cannot steer the terminal: only printable
characters go out (`visible`).
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar
from unicodedata import east_asian_width

from workers.cli.visible import json_text, printable

__all__ = ["json_line", "json_of", "line", "progress", "show", "table", "warn"]

Item = TypeVar("Item")


def line(text: str = "") -> None:
    """One line for people, on stdout."""
    print(printable(text))


def warn(text: str) -> None:
    """One line for people, on stderr."""
    print(printable(text), file=sys.stderr)


def json_line(value: Any) -> None:
    """A value as one line of JSON, on stdout. Times are UTC with `Z`."""
    sys.stdout.write(json_of(value) + "\n")


def json_of(value: Any) -> str:
    """A value as JSON. Times are UTC with `Z`."""
    import msgspec

    return json_text(msgspec.json.encode(value, enc_hook=str))


def show(rows: Sequence[Mapping[str, Any]], *, as_json: bool, title: str = "", empty: str = "Nothing there.") -> None:
    """Rows as one JSON list, or as a table whose columns are the keys of the first row."""
    if as_json:
        json_line(list(rows))
    elif not rows:
        line(empty)
    else:
        table(list(rows[0]), [list(row.values()) for row in rows], title=title)


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str = "") -> None:
    """Columns and rows, drawn on a terminal and plainly aligned when piped."""
    cells = [[_cell(value) for value in row] for row in rows]
    columns, title = [printable(column) for column in columns], printable(title)
    if not sys.stdout.isatty():
        _plain(columns, cells, title)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(title=title or None, header_style="bold", title_justify="left")
    for column in columns:
        drawn.add_column(Text(column))
    for row in cells:
        drawn.add_row(*(Text(cell) for cell in row))
    Console().print(drawn)


def progress(items: Iterable[Item], text: str, total: int | None = None) -> Iterator[Item]:
    """The same items, with a bar on stderr while they pass if a person looks on."""
    if not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console
    from rich.progress import track

    yield from track(items, description=text, total=total, console=Console(stderr=True), transient=True)


def _plain(columns: Sequence[str], cells: Sequence[Sequence[str]], title: str) -> None:
    widths = [max(map(_width, column)) for column in zip(columns, *cells, strict=True)] if cells else []
    if title:
        print(title)
    for row in (columns, *cells) if cells else (columns,):
        padded = [cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=False)]
        print("  ".join(padded or columns).rstrip())


def _width(text: str) -> int:
    """Columns on a terminal: a Chinese character takes two."""
    return sum(2 if east_asian_width(c) in "WF" else 1 for c in text)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".")
    if isinstance(value, (list, tuple, set, frozenset)):
        return ", ".join(_cell(part) for part in value)
    return printable(str(value))

"""`train`, `evaluate` and `bench`: how well, and how fast, does the product work on a desk's own history?

In: labelled files, or nothing but this machine. Out: figures, as tables or JSON; predictions where asked. Exit code 0
whenever it ran: the figures are the answer. Needs no database and no credential.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from router.errors import ConfigurationError
from workers.cli.printing import JsonFlag, json_line, line, table

__all__ = ["bench", "deadlines", "followups", "tags", "train"]

File = Annotated[Path, typer.Argument(metavar="FILE", help="The labelled file.", show_default=False)]
Predictions = Annotated[
    Path | None, typer.Option(metavar="OUT.jsonl", help="Write one prediction a line.", show_default=False)
]


def train(
    labelled: Annotated[Path, typer.Argument(metavar="LABELLED.jsonl", help='Lines with "text" and "label".')],
    out: Annotated[Path, typer.Option("-o", "--output", metavar="MODEL", help="Where the model goes.")],
    as_json: JsonFlag = False,
) -> int:
    """Fit a tagging model to labelled messages (`omnirouter export labels`) and say how good it is."""
    from workers.training import train as fit

    figures = fit(labelled, out, _told)
    _print(figures, as_json)
    if not as_json:
        line(f'Use it with: model = "{out}" under [tagging].')
    return 0


def _told(stage: str, share: float) -> None:
    if sys.stderr.isatty():
        end = "\n" if share >= 1 else ""
        print(f"\r{share:>4.0%}  {stage:<12}", end=end, file=sys.stderr, flush=True)


def tags(
    file: File,
    model: Annotated[
        Path | None, typer.Option(metavar="MODEL", help="A model of `train`.", show_default=False)
    ] = None,
    predictions: Predictions = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="DIR", help="A picture of what was taken for what.", show_default=False)
    ] = None,
    as_json: JsonFlag = False,
) -> int:
    """Tag labelled messages and say how often it was right."""
    from workers.evaluate.tags import evaluate_tags

    _there(file)
    _print(evaluate_tags(file, model=model, predictions=predictions, plot=plot), as_json)
    return 0


def followups(
    file: File,
    predictions: Predictions = None,
    plot: Annotated[Path | None, typer.Option(hidden=True)] = None,
    as_json: JsonFlag = False,
) -> int:
    """Decide labelled sequences, each in a fresh store, and say how often class and conversation were right."""
    from workers.cli import configured
    from workers.evaluate.followups import evaluate_followups

    _no_picture(plot)
    _there(file)
    _print(evaluate_followups(file, _writable(predictions), configured()), as_json)
    return 0


def deadlines(
    file: File,
    predictions: Predictions = None,
    plot: Annotated[Path | None, typer.Option(hidden=True)] = None,
    as_json: JsonFlag = False,
) -> int:
    """Compute recorded deadline cases and say how many are exactly right."""
    from workers.evaluate.deadlines import evaluate_deadlines

    _no_picture(plot)
    _there(file)
    _print(evaluate_deadlines(file, _writable(predictions), as_json), as_json)
    return 0


def bench(
    what: Annotated[
        Literal["messages", "deadlines", "followups", "tags"] | None,
        typer.Argument(metavar="[messages|deadlines|followups|tags]", show_default=False),
    ] = None,
    messages: Annotated[int, typer.Option("--messages", min=1, help="How many messages.")] = 20_000,
    database: Annotated[
        str | None, typer.Option(metavar="URL", help="An empty database; default: a throw-away SQLite file.")
    ] = None,
    log: Annotated[str | None, typer.Option(metavar="URL", help="database or nats://host:4222.")] = None,
    as_json: JsonFlag = False,
) -> int:
    """Speed on this machine, by stage, beside the raw database's own rate, as one table."""
    rows: list[dict[str, Any]] = []
    for name in [what] if what else ["messages", "deadlines", "followups", "tags"]:
        rows += [{"bench": name, **row} for row in _benched(name, messages, database, log)]
    if as_json:
        json_line(rows)
    else:
        columns = list(dict.fromkeys(key for row in rows for key in row))
        table(columns, [[row.get(column) for column in columns] for row in rows])
    return 0


def _benched(name: str, messages: int, database: str | None, log: str | None) -> list[dict[str, Any]]:
    from importlib import import_module
    from inspect import signature

    found = getattr(import_module(f"workers.bench.{name}"), f"bench_{name}")
    given = {"messages": messages, "database": database, "log": log}
    wanted = signature(found).parameters
    rows: list[dict[str, Any]] = found(**{key: value for key, value in given.items() if key in wanted})
    return rows


def _there(file: Path) -> None:
    if not file.is_file():
        raise ConfigurationError(f"There is no file {file}; name a file of labelled lines.")


def _writable(path: Path | None) -> Path | None:
    if path is not None and not path.absolute().parent.is_dir():
        raise ConfigurationError(f"{path}: its folder is not there; name a place that can be written.")
    return path


def _no_picture(plot: Path | None) -> None:
    if plot is not None:
        raise ConfigurationError("--plot draws what was taken for what, for `evaluate tags` only.")


def _print(figures: Mapping[str, Any], as_json: bool) -> None:
    """Figures for people: plain ones as lines, lists of rows as tables, the rest as readable lines."""
    if as_json:
        json_line(figures)
        return
    for name, value in figures.items():
        if isinstance(value, list) and value and isinstance(value[0], Mapping):
            line()
            table(list(value[0]), [list(row.values()) for row in value], title=name)
        elif isinstance(value, Mapping) and value:
            line()
            table([name, ""], [[key, _flat(one)] for key, one in value.items()])
        elif isinstance(value, list):
            line(f"{name}: {len(value)}")
            for one in value:
                line(f"  {one}")
        else:
            line(f"{name:<20}{value}")


def _flat(value: Any) -> Any:
    return ", ".join(f"{key} {one}" for key, one in value.items()) if isinstance(value, Mapping) else value

"""`train`, `evaluate` and `bench`: how well, and how fast, does the product work on a desk's own history?

In: labelled files, or nothing but this machine. Out: figures, as tables or JSON; predictions where asked. Exit code 0
whenever it ran: the figures are the answer. Needs no database and no credential.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from router.errors import ConfigurationError, InvalidPayload
from workers.cli.printing import JsonFlag, json_line, line, progress, table

__all__ = ["bench", "deadlines", "followups", "tags", "train"]

File = Annotated[Path, typer.Argument(metavar="FILE", help="The labelled file.", show_default=False)]
Plot = Annotated[
    Path | None, typer.Option(metavar="DIR", help="A picture of what was taken for what.", show_default=False)
]
Predictions = Annotated[
    Path | None, typer.Option(metavar="OUT.jsonl", help="Write one prediction a line.", show_default=False)
]


def train(
    labelled: Annotated[Path, typer.Argument(metavar="LABELLED.jsonl", help='Lines with "text" and "label".')],
    out: Annotated[Path, typer.Option("-o", "--output", metavar="MODEL", help="Where the model goes.")],
    embed: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="A sentence encoder (ONNX) to fuse.", show_default=False)
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Write the model even if it is right less often than no training.")
    ] = False,
    as_json: JsonFlag = False,
) -> int:
    """Fit a tagging model to labelled messages (`omnirouter export labels`) and say how good it is.

    Labels of the preset's issue types are added to what ships; untrained and trained stand side by side.
    """
    from workers.lab.training import train as fit

    _there(labelled)
    figures = fit(labelled, out, _told, embed=embed, force=force)
    _print(figures, as_json)
    if not figures["model"]:
        raise ConfigurationError(
            f"{out} is not written: on messages held back it is right on {figures['accuracy']:.1%}, "
            f"without training on {figures['untrained']:.1%}. More labels help; --force writes it all the same."
        )
    if not as_json:
        line(f'Use it with: model = "{out}" under [tagging].')
    return 0


def _told(stage: str, share: float) -> None:
    if sys.stderr.isatty():
        end = "\n" if share >= 1 else ""
        print(f"\r{share:>4.0%}  {stage:<12}", end=end, file=sys.stderr, flush=True)


def tags(
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="FILE…", help="The labelled file.", show_default=False)
    ] = None,
    leave_one_author_out: Annotated[
        bool, typer.Option("--leave-one-author-out", help="Each FILE is an author; train without him, judge by him.")
    ] = False,
    model: Annotated[
        Path | None, typer.Option(metavar="MODEL", help="A model of `train`.", show_default=False)
    ] = None,
    predictions: Predictions = None,
    plot: Plot = None,
    as_json: JsonFlag = False,
) -> int:
    """Tag labelled messages and say how often it was right."""
    from workers.cli.chosen import configured
    from workers.lab.evaluate.tags import evaluate_tags

    for file in files or ():
        _there(file)
    if leave_one_author_out:
        from workers.lab.evaluate.authors import leave_one_author_out as authors

        _print(authors(files or ()), as_json)
        return 0
    if files is None or len(files) != 1:
        raise ConfigurationError("Name one file of labelled lines; several go with --leave-one-author-out.")
    file = files[0]
    tagger = None if model is not None else configured().tagger
    _print(evaluate_tags(file, model=model, predictions=_writable(predictions), plot=plot, tagger=tagger), as_json)
    return 0


def followups(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="Labelled sequences.", show_default=False)
    ] = None,
    chats: Annotated[
        Path | None,
        typer.Option("--chats", metavar="LOG.jsonl", help="Sessions of one matter, unlabelled.", show_default=False),
    ] = None,
    second_matters: Annotated[
        Path | None,
        typer.Option("--second-matters", metavar="LABELLED.jsonl", help="Pairs of messages.", show_default=False),
    ] = None,
    predictions: Predictions = None,
    plot: Plot = None,
    as_json: JsonFlag = False,
) -> int:
    """Decide labelled sequences, each in a fresh store, and say how often class and conversation were right.

    With --chats: how many sessions of a log were split. With --second-matters: how many second matters were swallowed.
    """
    from workers.cli.chosen import configured

    named = [one for one in (file, chats, second_matters) if one is not None]
    if len(named) != 1:
        raise ConfigurationError("Name one of FILE, --chats LOG.jsonl and --second-matters LABELLED.jsonl.")
    if plot is not None and file is None:
        raise ConfigurationError("--plot draws classes of labelled sequences; leave it out here.")
    _there(named[0])
    kept = _writable(predictions)
    try:
        if chats is not None:
            from workers.lab.evaluate.chats import evaluate_chats

            figures = evaluate_chats(chats, kept, configured())
        elif second_matters is not None:
            from workers.lab.evaluate.second_matters import evaluate_second_matters

            figures = evaluate_second_matters(second_matters, kept, configured())
        else:
            figures = _sequences(named[0], kept, plot)
    except InvalidPayload as wrong:
        raise ConfigurationError(str(wrong)) from None
    _print(figures, as_json)
    return 0


def _sequences(file: Path, predictions: Path | None, plot: Path | None) -> dict[str, Any]:
    from workers.cli.chosen import configured
    from workers.lab.evaluate.followups import evaluate_followups

    with tempfile.TemporaryDirectory() as folder:
        kept = predictions or Path(folder) / "predictions.jsonl"
        figures = evaluate_followups(file, kept, configured())
        if plot is not None:
            figures["picture"] = str(_picture_of_classes(file, kept, plot))
    return figures


def _picture_of_classes(file: Path, predictions: Path, folder: Path) -> Path:
    """What class was taken for what. An answer that the file accepts too counts as the one that it wants."""
    from workers.lab.evaluate.tags import plot_confusions

    given = {(row["id"], row["item"]): row["class"] for row in _rows(predictions)}
    truth, answers = [], []
    for sequence in _rows(file):
        for index, item in enumerate(sequence["items"]):
            if "expect" in item:
                wanted, answer = item["expect"]["class"], given[(str(sequence["id"]), index)]
                truth.append(wanted)
                answers.append(wanted if answer in item["expect"].get("accept_class", ()) else answer)
    return plot_confusions(truth, answers, folder, f"followups-{file.stem}")


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8-sig") as lines:
        yield from map(json.loads, filter(str.strip, lines))


def deadlines(file: File, predictions: Predictions = None, plot: Plot = None, as_json: JsonFlag = False) -> int:
    """Compute recorded deadline cases and say how many are exactly right."""
    from workers.lab.evaluate.deadlines import evaluate_deadlines

    _there(file)
    figures = evaluate_deadlines(file, _writable(predictions), as_json)
    if plot is not None:
        from workers.lab.evaluate.tags import plot_confusions

        counts = [(name, row["cases"], row["exact"]) for name, row in figures["operations"].items()]
        truth = [name for name, cases, _ in counts for _ in range(cases)]
        answers = [name if n < exact else "different" for name, cases, exact in counts for n in range(cases)]
        figures["picture"] = str(plot_confusions(truth, answers, plot, f"deadlines-{file.stem}"))
    _print(figures, as_json)
    return 0


def bench(
    what: Annotated[
        Literal["messages", "deadlines", "followups", "tags"] | None,
        typer.Argument(metavar="[messages|deadlines|followups|tags]", show_default=False),
    ] = None,
    messages: Annotated[int | None, typer.Option("--messages", min=1, help="How many.", show_default=False)] = None,
    database: Annotated[
        str | None, typer.Option(metavar="URL", help="An empty database; default: a throw-away SQLite file.")
    ] = None,
    log: Annotated[str | None, typer.Option(metavar="URL", help="database: the only log of this version.")] = None,
    as_json: JsonFlag = False,
) -> int:
    """Speed on this machine, by stage, beside the raw database's own rate, as one table."""
    rows: list[dict[str, Any]] = []
    for name in progress([what] if what else ["messages", "deadlines", "followups", "tags"], "Measuring"):
        rows += [{"bench": name, **row} for row in _benched(name, messages, database, log)]
    if as_json:
        json_line(rows)
    else:
        columns = list(dict.fromkeys(key for row in rows for key in row))
        table(columns, [[row.get(column) for column in columns] for row in rows])
    return 0


def _benched(name: str, messages: int | None, database: str | None, log: str | None) -> list[dict[str, Any]]:
    """The rows of one bench. Raises ConfigurationError for an option that it does not know."""
    from importlib import import_module
    from inspect import signature

    found = getattr(import_module(f"workers.lab.bench.{name}"), f"bench_{name}")
    known = signature(found).parameters
    given = {"messages": messages, "database": database, "log": None if log == "database" else log}
    wanted = {key: value for key, value in given.items() if value is not None}
    if name == "messages" and not wanted.keys() <= known.keys():
        unknown = ", ".join(f"--{key}" for key in wanted.keys() - known.keys())
        raise ConfigurationError(f"bench messages measures without {unknown}; leave it out.")
    rows: list[dict[str, Any]] = found(**{key: value for key, value in wanted.items() if key in known})
    return rows


def _there(file: Path) -> None:
    if not file.is_file():
        raise ConfigurationError(f"There is no file {file}; name a file of labelled lines.")


def _writable(path: Path | None) -> Path | None:
    if path is not None and not path.absolute().parent.is_dir():
        raise ConfigurationError(f"{path}: its folder is not there; name a place that can be written.")
    return path


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
            line(f"{name:<26}{value}")


def _flat(value: Any) -> Any:
    return ", ".join(f"{key} {one}" for key, one in value.items()) if isinstance(value, Mapping) else value

"""`train`, `evaluate` and `bench`: how well, and how fast, does the product work on a desk's own history?

In: labelled files, or nothing but this machine. Out: figures, as tables or JSON; predictions where asked. Exit code 0
whenever it ran: the figures are the answer. Needs no database and no credential.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from router.errors import ConfigurationError, InvalidPayload
from workers.cli.command import PATH, command, json_option
from workers.cli.printing import json_line, line, progress, table

__all__ = ["bench", "deadlines", "followups", "tags", "train", "train_followups"]

#: What can be measured, each by a module of `workers.lab.bench`.
_BENCHES = ("messages", "live", "deadlines", "followups", "tags")
#: What takes minutes, and is measured when it is asked for by name.
_LONG = ("growth", "reads")

file_argument = click.argument("file", metavar="FILE", type=PATH, help="The labelled file.")
plot_option = click.option("--plot", metavar="DIR", type=PATH, help="A picture of what was taken for what.")
predictions_option = click.option("--predictions", metavar="OUT.jsonl", type=PATH, help="Write one prediction a line.")


@command("train")
@click.argument("labelled", metavar="LABELLED.jsonl", type=PATH, help='Lines with "text" and "label".')
@click.option("-o", "--output", "out", metavar="MODEL", type=PATH, required=True, help="Where the model goes.")
@click.option("--embed", metavar="FOLDER", type=PATH, help="A sentence encoder (ONNX) to fuse.")
@click.option("--force", is_flag=True, help="Write the model even if it is right less often than no training.")
@json_option
def train(labelled: Path, out: Path, embed: Path | None, force: bool, as_json: bool) -> int:
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


@command("evaluate tags")
@click.argument("files", metavar="FILE…", type=PATH, nargs=-1, help="The labelled file.")
@click.option("--leave-one-author-out", is_flag=True, help="Each FILE is an author; train without him, judge by him.")
@click.option("--model", metavar="MODEL", type=PATH, help="A model of `train`.")
@predictions_option
@plot_option
@json_option
def tags(
    files: tuple[Path, ...],
    leave_one_author_out: bool,
    model: Path | None,
    predictions: Path | None,
    plot: Path | None,
    as_json: bool,
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


@command("evaluate followups")
@click.argument("files", metavar="FILE…", type=PATH, nargs=-1, help="Labelled sequences.")
@click.option("--leave-one-author-out", is_flag=True, help="Each FILE is an author; learn without, judge by them.")
@click.option("--chats", metavar="LOG.jsonl", type=PATH, help="Sessions of one matter, unlabelled.")
@click.option("--second-matters", metavar="LABELLED.jsonl", type=PATH, help="Pairs of messages.")
@predictions_option
@plot_option
@json_option
def followups(
    files: tuple[Path, ...],
    leave_one_author_out: bool,
    chats: Path | None,
    second_matters: Path | None,
    predictions: Path | None,
    plot: Path | None,
    as_json: bool,
) -> int:
    """Decide labelled sequences, each in a fresh store, and say how often class and conversation were right.

    With --chats: how many sessions of a log were split. With --second-matters: how many second matters were swallowed.
    """
    from workers.cli.chosen import configured

    for path in files:
        _there(path)
    if leave_one_author_out:
        return _strangers(files, as_json)
    if len(files) > 1:
        raise ConfigurationError("Name one file of labelled sequences; several go with --leave-one-author-out.")
    file = files[0] if files else None
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


def _strangers(files: Sequence[Path], as_json: bool) -> int:
    from workers.lab.evaluate.authors_followups import leave_one_author_out

    try:
        _print(leave_one_author_out(files, _doing), as_json)
    except InvalidPayload as wrong:
        raise ConfigurationError(str(wrong)) from None
    return 0


@command("train followups")
@click.argument("files", metavar="FILE…", type=PATH, nargs=-1, required=True, help="Labelled sequences.")
@click.option("-o", "--output", "out", metavar="MODEL", type=PATH, required=True, help="Where the model goes.")
@json_option
def train_followups(files: tuple[Path, ...], out: Path, as_json: bool) -> int:
    """Learn from labelled dialogues, beside those that ship, where messages go and as what."""
    from workers.lab.placing.desk import train as fit

    for path in files:
        _there(path)
    try:
        figures = fit(files, out, _doing)
    except InvalidPayload as wrong:
        raise ConfigurationError(str(wrong)) from None
    _print(figures, as_json)
    if not as_json:
        line(f'Use it with: model = "{out}" under [follow_ups].')
    return 0


def _doing(what: str) -> None:
    if sys.stderr.isatty():
        print(f"\r{what:<20}", end="", file=sys.stderr, flush=True)


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


@command("evaluate deadlines")
@file_argument
@predictions_option
@plot_option
@json_option
def deadlines(file: Path, predictions: Path | None, plot: Path | None, as_json: bool) -> int:
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


@command("bench")
@click.argument(
    "what",
    metavar=f"[{'|'.join((*_BENCHES, *_LONG))}]",
    type=click.Choice((*_BENCHES, *_LONG)),
    required=False,
)
@click.option("--messages", metavar="N", type=click.IntRange(min=1), help="How many.")
@click.option("--database", metavar="URL", help="An empty database; default: a throw-away SQLite file.")
@click.option("--log", metavar="URL", help="database: the only log of this version.")
@json_option
def bench(what: str | None, messages: int | None, database: str | None, log: str | None, as_json: bool) -> int:
    """Speed on this machine, by stage, beside the raw database's own rate, as one table. `growth` and `reads` take
    minutes and are asked for by name: what a message costs as the ledger grows, how fast lists are with much open."""
    rows: list[dict[str, Any]] = []
    for name in progress([what] if what else _BENCHES, "Measuring"):
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
    if name in ("messages", "growth", "reads") and not wanted.keys() <= known.keys():
        unknown = ", ".join(f"--{key}" for key in wanted.keys() - known.keys())
        raise ConfigurationError(f"bench {name} measures without {unknown}; leave it out.")
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

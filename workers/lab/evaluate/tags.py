"""How well are a desk's own messages tagged?

In: labelled messages (`{"id", "text", "label"}` a line), and a trained model or the lexicons. Out: figures (accuracy,
macro-F1, coverage at 95 % precision, a table by label), predictions a line, and on request a picture of the confusion
matrix. With a model its own label set counts, which may be any. `also` of a line names labels that are right as well.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import warnings
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO

from router import private
from router.errors import ConfigurationError
from router.model import Tagging
from router.tagging.tag import Tagger
from workers.lab.evaluate.figures import PRECISION, by_label, confusions, coverage, macro_f1
from workers.lab.labelled import Labelled, labelled_messages

__all__ = ["evaluate_tags", "plot_confusions"]


def evaluate_tags(
    path: Path,
    model: Path | None = None,
    predictions: Path | None = None,
    plot: Path | None = None,
    tagger: Tagger | None = None,
) -> dict[str, Any]:
    """The figures of tagging these messages, by `model` or else by `tagger` (default: the built-in lexicons).

    Writes `{"id", "label", "confidence", "unsure", "runner_up"}` lines to `predictions` and a picture into the folder
    `plot`. Raises ConfigurationError for a wrong line, an unreadable model, or a picture without matplotlib.
    """
    messages = labelled_messages(path)
    if not messages:
        raise ConfigurationError(f"{path}: has no message; lines of id, text and label would be right")
    if plot is not None:
        _pyplot()
    by = Tagger.load(issue_types=(), model=model) if model is not None else (tagger or Tagger.load())
    given = [by.tag(message.text) for message in messages]
    if predictions is not None:
        _write(predictions, messages, given)
    right = [tagging.issue_type in (m.label, *m.also) for m, tagging in zip(messages, given, strict=True)]
    truth = [t.issue_type if ok else m.label for m, t, ok in zip(messages, given, right, strict=True)]
    predicted = [tagging.issue_type for tagging in given]
    share, threshold = coverage([tagging.confidence for tagging in given], right)
    figures = {
        "messages": len(messages),
        "accuracy": round(sum(right) / len(right), 4),
        "macro_f1": round(macro_f1(truth, predicted), 4),
        "coverage": round(share, 4),
        "precision": PRECISION,
        "threshold": round(threshold, 4),
        "unsure": sum(tagging.unsure for tagging in given),
        "labels": by_label(truth, predicted),
        "confusions": confusions(truth, predicted)[:20],
        "tagger": by.version,
    }
    if plot is not None:
        figures["picture"] = str(plot_confusions(truth, predicted, plot, f"tags-{path.stem}"))
    return figures


def plot_confusions(truth: Sequence[str], predicted: Sequence[str], folder: Path, what: str) -> Path:
    """Draw what was taken for what into `confusion-WHAT.png` of this folder, or `confusion-WHAT-2.png` where that is
    there: a picture is never written over. Each row is one true label, in shares."""
    pyplot = _pyplot()
    labels = sorted({*truth, *predicted})
    place = {label: number for number, label in enumerate(labels)}
    counts = [[0.0] * len(labels) for _ in labels]
    for true, guessed in zip(truth, predicted, strict=True):
        counts[place[true]][place[guessed]] += 1
    shares = [[count / (sum(row) or 1.0) for count in row] for row in counts]
    side = max(6.0, 0.26 * len(labels) + 3)
    figure, axes = pyplot.subplots(figsize=(side, side), layout="constrained")
    picture = axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
    axes.set_xticks(range(len(labels)), labels, rotation=90, fontsize=7)
    axes.set_yticks(range(len(labels)), labels, fontsize=7)
    axes.set_xlabel("predicted")
    axes.set_ylabel("labelled")
    figure.colorbar(picture, shrink=0.7, label="share of the row")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with warnings.catch_warnings(), _fresh(folder, f"confusion-{what}") as target:
            warnings.filterwarnings("ignore", message="Glyph")  # a font without Chinese draws boxes for such labels
            figure.savefig(target, dpi=120, format="png")
            return Path(target.name)
    except OSError as error:
        raise ConfigurationError(f"{folder}: the picture cannot be written ({error})") from error
    finally:
        pyplot.close(figure)


def _fresh(folder: Path, name: str) -> BinaryIO:
    """A picture of this name that was not there, open to be written."""
    for number in count(1):
        place = folder / (f"{name}.png" if number == 1 else f"{name}-{number}.png")
        with contextlib.suppress(FileExistsError):
            return open(place, "xb", opener=private.opener)
    raise AssertionError("unreachable")


def _pyplot() -> Any:
    """Matplotlib, drawing to files only; one sentence when it is not installed."""
    try:
        importlib.import_module("matplotlib").use("Agg")
        return importlib.import_module("matplotlib.pyplot")
    except ImportError as error:
        raise ConfigurationError('--plot needs matplotlib: pip install "omnirouter[train]"') from error


def _write(path: Path, messages: Sequence[Labelled], given: Sequence[Tagging]) -> None:
    try:
        private.write(path, "".join(_lines(messages, given)))
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be written ({error})") from error


def _lines(messages: Sequence[Labelled], given: Sequence[Tagging]) -> Iterator[str]:
    for message, tagging in zip(messages, given, strict=True):
        row = {
            "id": message.id,
            "label": tagging.issue_type,
            "confidence": tagging.confidence,
            "unsure": tagging.unsure,
            "runner_up": tagging.runner_up,
        }
        yield json.dumps(row, ensure_ascii=False) + "\n"

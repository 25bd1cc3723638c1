"""How well is somebody tagged whose words the model has never seen?

In: files of labelled messages, one an author; without files, the authors of the shipped examples. Out: for each author
how often a model that was fitted without him is right, with an interval; and for each language how often what is called
sure is right, by a threshold that comes from the other authors, with the share that is sure.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from router.errors import ConfigurationError
from router.tagging.classifier import lines
from router.text.meaning.fold import language
from workers.lab import fitting
from workers.lab.evaluate.interval import interval
from workers.lab.examples import OURS, Example, calibrated, example_messages, features_of, opinions_of_strangers
from workers.lab.labelled import labelled_messages

__all__ = ["leave_one_author_out"]


def leave_one_author_out(files: Sequence[Path] = ()) -> dict[str, Any]:
    """Figures by author and by language; intervals hold 95 of 100 draws of messages with replacement.

    An author of the shipped examples who wrote messages of a file is that file's author: he is left out with it.
    Raises ConfigurationError for a wrong line, or for a label that is no issue type of the preset.
    """
    examples, judged = _material(files)
    authors, texts = [example.author for example in examples], [example.text for example in examples]
    labels = np.array([example.label for example in examples])
    left_out = sorted({authors[place] for place in judged})
    if len(left_out) < 2:
        raise ConfigurationError("--leave-one-author-out needs two files at least, one an author")
    values = opinions_of_strangers(features_of(texts), labels, authors, left_out)
    right = values.argmax(axis=1) == np.searchsorted(np.unique(labels), labels)
    spoken = np.array([language(text) for text in texts])
    names = np.array(authors)
    sure = np.zeros(len(texts), dtype=bool)
    for author in left_out:
        his, others = judged[names[judged] == author], judged[names[judged] != author]
        calibration = calibrated(values[others], labels[others], [texts[place] for place in others])
        sure[his] = _sure(values[his], spoken[his], calibration)
    rows = [{"author": author, **_row(judged[names[judged] == author], right, sure)} for author in left_out]
    tongues = sorted(set(spoken[judged].tolist()))
    return {
        "authors": rows,
        "languages": [{"language": name, **_row(judged[spoken[judged] == name], right, sure)} for name in tongues],
        "mean": round(float(np.mean([row["accuracy"] for row in rows])), 4),
        "interval": interval([right[judged[names[judged] == author]] for author in left_out]),
        "messages": len(judged),
    }


def _material(files: Sequence[Path]) -> tuple[list[Example], npt.NDArray[np.int64]]:
    """All examples, those of the files first, and the places of those that are judged."""
    shipped = example_messages()
    if not files:
        return shipped, np.array([place for place, example in enumerate(shipped) if example.author not in OURS])
    given = [Example(path.stem, row.label, row.text) for path in files for row in labelled_messages(path)]
    types = {example.label for example in shipped}
    foreign = next((example for example in given if example.label not in types), None)
    if foreign is not None:
        raise ConfigurationError(f"{foreign.author}: the label {foreign.label!r} is no issue type of the preset")
    writer = {example.text: example.author for example in given}
    same = {e.author: writer[e.text] for e in shipped if e.text in writer and e.author not in OURS}
    rest = [e._replace(author=same.get(e.author, e.author)) for e in shipped if e.text not in writer]
    return [*given, *rest], np.arange(len(given))


def _sure(
    values: fitting.Floats, spoken: npt.NDArray[Any], calibration: dict[str, npt.NDArray[Any]]
) -> npt.NDArray[np.bool_]:
    found = fitting.chances(values * float(calibration["temperature"])).max(axis=1)
    names, limits = lines(calibration["unsure_languages"]), calibration["unsure_by_language"].tolist()
    own = dict(zip(names, limits, strict=True))
    return np.asarray(found >= [own.get(name, float(calibration["unsure_below"])) for name in spoken.tolist()])


def _row(places: npt.NDArray[np.int64], right: npt.NDArray[np.bool_], sure: npt.NDArray[np.bool_]) -> dict[str, Any]:
    certain = places[sure[places]]
    return {
        "messages": len(places),
        "accuracy": round(float(right[places].mean()), 4),
        "interval": interval([right[places]]),
        "sure_right": round(float(right[certain].mean()), 4) if len(certain) else None,
        "sure": round(len(certain) / len(places), 4),
    }

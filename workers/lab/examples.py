"""How is the model that ships with the lexicons made?

In: router/lexicons/examples/, a file of messages with their issue types for each author. Out:
router/lexicons/examples.model: the weights fitted to all of them, and what these are worth on the words of somebody
else: each author's messages are judged by a machine that was fitted without them, and from these opinions come the
temperature of the probabilities and, for each language, the probability below which a message is unsure. Run
`python -m workers.lab.examples` after a change of the examples or the lexicons; a test tells when they no longer fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from router.tagging.classifier import Model, grams, pack
from router.tagging.tag import EXAMPLES, Tagger
from router.text.meaning.fold import language
from workers.lab import fitting
from workers.lab.evaluate.figures import coverage

__all__ = [
    "OURS", "PLAIN", "PRECISION", "RECIPE", "Example", "arrays_without", "calibrated", "example_messages",
    "features_of", "main",
    "make_model", "opinions_of_strangers", "weights_of",
]  # fmt: skip

#: Chosen by leaving one author out, over all authors alike.
RECIPE: Final = fitting.Recipe(
    strength=1.0, lengths={"word": 0.8, "char": 1.2, "concept": 0.25}, balanced=True, bayes=0.2
)
#: Files of plain messages, written type by type: they teach, but how people really write counts for more.
PLAIN: Final = frozenset(("plain", "bank", "everyday"))
_PLAIN_WEIGHT: Final = 0.3
#: Files whose authors wrote for this model: they teach, and nobody learns from them what strangers' words are worth.
OURS: Final = PLAIN | {"roundabout"}
#: So often is right what is not unsure, a little more often than the promised 95 of 100, since thresholds are chosen on
#: the messages of a few authors; and so many messages of a language give it a threshold of its own.
PRECISION: Final = 0.955
_ENOUGH: Final = 200


class Example(NamedTuple):
    """A message, its issue type, and who wrote it: the name of the file."""

    author: str
    label: str
    text: str


def example_messages() -> list[Example]:
    """All examples, author by author: lines of issue type and message with a tab between."""
    return [example for path in sorted(EXAMPLES.with_suffix("").glob("*.tsv")) for example in _examples(path)]


def _examples(path: Path) -> list[Example]:
    lines = path.read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t", 1) for line in lines if line and not line.startswith("#")]
    return [Example(path.stem, label, text.replace("\\n", "\n").replace("\\\\", "\\")) for label, text in rows]


def features_of(texts: Sequence[str], tagger: Tagger | None = None) -> list[fitting.Features]:
    """What the machine sees of each message."""
    tagger = tagger or Tagger.load()
    return [grams(*tagger.features(text)) for text in texts]


def weights_of(authors: Sequence[str]) -> fitting.Floats:
    """How much each author's messages count."""
    return np.array([_PLAIN_WEIGHT if author in PLAIN else 1.0 for author in authors])


def opinions_of_strangers(
    features: Sequence[fitting.Features], labels: npt.NDArray[Any], authors: Sequence[str], left_out: Sequence[str]
) -> fitting.Floats:
    """Decision values of the messages of the authors in `left_out`, each by a machine that knows all other authors."""
    values = np.full((len(labels), len(np.unique(labels))), np.nan)
    weights, names = weights_of(authors), np.array(authors)
    for author in left_out:
        known, unknown = np.flatnonzero(names != author).tolist(), np.flatnonzero(names == author).tolist()
        fitted = fitting.fit([features[i] for i in known], labels[known], RECIPE, weights=weights[known])
        values[unknown] = fitting.decisions(fitted, [features[i] for i in unknown])
    return values


def calibrated(values: fitting.Floats, labels: npt.NDArray[Any], texts: Sequence[str]) -> dict[str, npt.NDArray[Any]]:
    """The calibration that fits opinions on messages of strangers: temperature, and a threshold for each language."""
    classes = np.unique(labels)
    truth = np.searchsorted(classes, labels)
    temperature = min(np.geomspace(0.5, 20.0, 60), key=lambda t: fitting.surprise(values * t, truth))
    sure, right = fitting.chances(values * temperature).max(axis=1), values.argmax(axis=1) == truth
    spoken = np.array([language(text) for text in texts])
    _, overall = coverage(sure.tolist(), right.tolist(), PRECISION)
    thresholds = {
        name: coverage(sure[spoken == name].tolist(), right[spoken == name].tolist(), PRECISION)[1]
        for name in sorted(set(spoken.tolist()))
        if (spoken == name).sum() >= _ENOUGH
    }
    return {
        "temperature": np.array(temperature),
        "unsure_below": np.array(overall),
        "unsure_languages": pack(list(thresholds)),
        "unsure_by_language": np.array(list(thresholds.values())),
    }


def make_model(out: Path = EXAMPLES, calibration: dict[str, npt.NDArray[Any]] | None = None) -> Path:
    """Fit the examples and write the model; the same examples and lexicons give the same file.

    The calibration takes a machine for each author; it is made unless it is given.
    """
    examples = example_messages()
    features = features_of([example.text for example in examples])
    labels, authors = np.array([e.label for e in examples]), [e.author for e in examples]
    if calibration is None:
        strangers = sorted(set(authors) - OURS)
        values = opinions_of_strangers(features, labels, authors, strangers)
        judged = np.flatnonzero(~np.isnan(values[:, 0]))
        calibration = calibrated(values[judged], labels[judged], [examples[i].text for i in judged])
    fitting.write_model(out, fitting.arrays_of(features, labels, RECIPE, weights_of(authors)) | calibration)
    return out


def arrays_without(author: str) -> dict[str, npt.NDArray[Any]]:
    """The shipped model as it would be without this author's messages, but for its calibration."""
    known = [(example, found) for example, found in _read() if example.author != author]
    labels, authors = np.array([e.label for e, _ in known]), [e.author for e, _ in known]
    arrays = fitting.arrays_of([found for _, found in known], labels, RECIPE, weights_of(authors))
    return arrays | Model.load(EXAMPLES).calibration


@lru_cache(maxsize=1)
def _read() -> list[tuple[Example, fitting.Features]]:
    examples = example_messages()
    return list(zip(examples, features_of([e.text for e in examples]), strict=True))


def main() -> None:
    """Make the model in its place."""
    make_model()


if __name__ == "__main__":
    main()

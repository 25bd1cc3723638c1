"""How is the model that ships with the lexicons made?

In: router/lexicons/examples.tsv, messages of each issue type. Out: router/lexicons/examples.model, the weights that
help the tagger where a message names no concept of the lexicons. Run `python -m workers.lab.examples` after a change of
the examples or the lexicons; a test tells when the two no longer fit together.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from router.tagging.classifier import grams
from router.tagging.tag import EXAMPLES, Tagger
from workers.lab import fitting
from workers.lab.training import write_model

__all__ = ["example_messages", "main", "make_model"]

#: Strength of the machine and length of its concept block, chosen on messages that are not among the examples.
_STRENGTH: Final = 0.3
_CONCEPTS: Final = 0.5


def example_messages() -> list[tuple[str, str]]:
    """Issue type and message of each example."""
    lines = EXAMPLES.with_suffix(".tsv").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t", 1) for line in lines if line and not line.startswith("#")]
    return [(label, text) for label, text in rows]


def make_model(out: Path = EXAMPLES) -> Path:
    """Fit the examples and write the model; the same examples and lexicons give the same file."""
    tagger, examples = Tagger.load(), example_messages()
    features = [grams(*tagger.features(text)) for _, text in examples]
    arrays = fitting.arrays_of(features, np.array([label for label, _ in examples]), _STRENGTH, _CONCEPTS)
    write_model(out, arrays | {"temperature": np.array(1.0), "unsure_below": np.array(0.0)})
    return out


def main() -> None:
    """Make the model in its place."""
    make_model()


if __name__ == "__main__":
    main()

"""Which label does a trained model give a message, and how sure is it?

In: a model file written by `omnirouter train` and the folded words of a message with their concepts. Out: the label,
its probability, the runner-up. Features are word 1-2-grams and character 2-5-grams of Latin text, character 1-3-grams
of Han text, and the lexicon's concepts with their pairs; each of the three blocks is weighed by idf to a length of its
own. The labels are those of scikit-learn with the same weights; only numpy is needed here, and nothing is unpickled.
"""

from __future__ import annotations

import itertools
import math
import re
import zipfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from router.errors import ConfigurationError
from router.tagging.pieces import HAN, LATIN, Pieces

__all__ = ["BLOCKS", "FORMAT", "Guess", "Model", "fused", "grams", "lines", "pack"]

#: The blocks of features, in the order in which their weights lie in a model.
BLOCKS: Final = ("word", "char", "concept")
FORMAT: Final = 1
_LATIN: Final = re.compile(r"[a-z0-9à-öø-ÿ]+(?:'[a-z]+)?")
_HAN: Final = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]+")
_LONG_NUMBER: Final = re.compile(r"\d{3,}")
_MOST: Final = 2_000
_MOST_CONCEPTS: Final = 14


class Guess(NamedTuple):
    """The best label, its calibrated probability, the second best and its probability."""

    label: str
    confidence: float
    runner_up: str
    second: float


def grams(folded: str, concepts: Iterable[str]) -> dict[str, list[str]]:
    """The features of a folded text by block, repeated as often as they occur."""
    folded = _LONG_NUMBER.sub("0", folded[:_MOST])
    words = _LATIN.findall(folded)
    line = f" {' '.join(words)} " if words else ""
    chars = [line[i : i + n] for n in _lengths(LATIN) for i in range(len(line) - n + 1)]
    for run in _runs(folded):
        chars += [run[i : i + n] for n in _lengths(HAN) for i in range(len(run) - n + 1)]
    return {"word": _with_pairs(words), "char": chars, "concept": _combined(concepts)}


def _lengths(span: tuple[int, int]) -> range:
    return range(span[0], span[1] + 1)


def _runs(folded: str) -> Sequence[str]:
    return () if folded.isascii() else _HAN.findall(folded)


def _with_pairs(words: list[str]) -> list[str]:
    return words + [f"{a} {b}" for a, b in itertools.pairwise(words)]


def _combined(concepts: Iterable[str]) -> list[str]:
    named = list(concepts)[:_MOST_CONCEPTS]
    return named + [f"{a}+{b}" if a < b else f"{b}+{a}" for a, b in itertools.combinations(named, 2)]


def _readable(folded: str) -> dict[str, list[str]]:
    """The features that a person can read: words, pairs of words, and two or three Chinese characters."""
    words = _LATIN.findall(folded)
    pieces = [run[i : i + n] for run in _runs(folded) for n in (2, 3) for i in range(len(run) - n + 1)]
    return {"word": _with_pairs(words), "char": pieces}


class Model:
    """A trained model in memory: vocabulary, idf, weights of one byte each, scale and bias of each label."""

    def __init__(self, arrays: dict[str, npt.NDArray[Any]]) -> None:
        self.labels: tuple[str, ...] = tuple(lines(arrays["labels"]))
        self.unsure_below = float(arrays["unsure_below"])
        self._unsure = _by_language(arrays)
        #: The labels that a desk taught; of the labels that the shipped examples add, it may have none.
        self.taught = tuple(lines(arrays["taught"])) if "taught" in arrays else self.labels
        self.version = str(lines(arrays["version"])[0])
        self._temperature = float(arrays["temperature"])
        self._idf = arrays["idf"].astype(np.float64)
        self._weights = np.ascontiguousarray(arrays["weights"])
        self._scale = arrays["scale"].astype(np.float64)
        self._bias = arrays["bias"].astype(np.float64)
        self._lengths = dict(zip(BLOCKS, arrays["lengths"].tolist(), strict=True))
        self._meaning = _Meaning(arrays) if "embed_weights" in arrays else None
        self._places: dict[str, dict[str, int]] = {}
        first = 0
        for block in BLOCKS:
            vocabulary = lines(arrays[f"vocabulary_{block}"])
            self._places[block] = {gram: first + i for i, gram in enumerate(vocabulary)}
            first += len(vocabulary)
        self._pieces = Pieces(self._places["char"])
        if not first == len(self._idf) == len(self._weights) or self._weights.shape[1] != len(self.labels):
            raise ValueError("its parts do not fit together")

    @property
    def embedder(self) -> str:
        """The version of the sentence encoder that the model was trained with; empty without one."""
        return self._meaning.version if self._meaning else ""

    @property
    def fused_unsure_below(self) -> float:
        """The probability below which the fused opinion is unsure."""
        return self._meaning.unsure_below if self._meaning else self.unsure_below

    def unsure_in(self, language: str) -> float:
        """The probability below which a message in this language is unsure."""
        return self._unsure.get(language, self.unsure_below)

    @property
    def calibration(self) -> dict[str, npt.NDArray[Any]]:
        """The arrays of a file that say what the decision values are worth."""
        return {
            "temperature": np.array(self._temperature),
            "unsure_below": np.array(self.unsure_below),
            "unsure_languages": pack(list(self._unsure)),
            "unsure_by_language": np.array(list(self._unsure.values())),
        }

    @classmethod
    def load(cls, path: Path, meaning: Path | None = None) -> Model:
        """The model in a file, with what a second file says of an encoder's vectors where one is named;
        ConfigurationError with one sentence when one is no such file."""
        try:
            arrays: dict[str, npt.NDArray[Any]] = {}
            for each in filter(None, (path, meaning)):
                with each.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                    arrays |= {name: archive[name] for name in archive.files}
            if int(arrays["format"]) != FORMAT:
                raise ValueError(f"its format is {int(arrays['format'])}, this version reads {FORMAT}")
            return cls(arrays)
        except OSError as error:
            reason = f"{path} cannot be read ({error.strerror}); train one with `omnirouter train`"
            raise ConfigurationError(f"tagging.model: {reason}") from error
        except (ValueError, KeyError, EOFError, AttributeError, TypeError, zipfile.BadZipFile) as error:
            raise ConfigurationError(f"tagging.model: {path} is no model of `omnirouter train` ({error})") from error

    def scores(self, folded: str, concepts: Iterable[str]) -> npt.NDArray[np.float64]:
        """The decision value of each label."""
        places, spans = list[int](), list[tuple[int, int, float]]()
        for block, known in self._present(folded, concepts).items():
            if known:
                spans.append((len(places), len(places) + len(known), self._lengths[block]))
                places += known
        if not places:
            return self._bias.copy()
        rows = np.fromiter(places, np.int64, len(places))
        values = self._idf.take(rows)
        for first, end, length in spans:
            part = values[first:end]
            part *= length / math.sqrt(part @ part)
        result: npt.NDArray[np.float64] = values @ self._weights.take(rows, axis=0).astype(np.float64)
        return result * self._scale + self._bias

    def _present(self, folded: str, concepts: Iterable[str]) -> dict[str, Collection[int]]:
        """The places of the features of a text by block; the same that `grams` names."""
        folded = _LONG_NUMBER.sub("0", folded[:_MOST])
        words = _LATIN.findall(folded)
        return {
            "word": _places(self._places["word"], _with_pairs(words)),
            "char": self._pieces.places(words, _runs(folded)),
            "concept": _places(self._places["concept"], _combined(concepts)),
        }

    def reasons(self, folded: str, label: str) -> tuple[str, ...]:
        """The words of the text that speak most for this label, at most three."""
        if label not in self.labels:
            return ()
        found = {
            self._places[block].get(gram, -1): gram
            for block, readable in _readable(folded[:_MOST]).items()
            for gram in readable
        }
        found.pop(-1, None)
        rows = np.array(list(found), dtype=np.int64)
        spoken = self._weights[rows, self.labels.index(label)] * self._idf.take(rows)
        best = np.argsort(-spoken, kind="stable")[:3]
        return tuple(found[int(rows[at])] for at in best if spoken[at] > 0)

    def guess(
        self,
        folded: str,
        concepts: Iterable[str],
        vector: npt.NDArray[np.float64] | None = None,
        among: Collection[int] | None = None,
    ) -> Guess:
        """The label with its probability: the arg max of `scores`, or with a sentence's vector of both opinions.

        `among` holds the places of the only labels that may be given.
        """
        scores, temperature = self.scores(folded, concepts), self._temperature
        if vector is not None and self._meaning is not None:
            scores, temperature = self._meaning.fuse(scores * temperature, vector), self._meaning.temperature
        if among is not None:
            barred = np.ones(len(scores), dtype=bool)
            barred[list(among)] = False
            scores = np.where(barred, -math.inf, scores)
        chances = np.exp((scores - scores.max()) * temperature)
        chances /= chances.sum()
        best = int(scores.argmax())
        if len(self.labels) == 1:
            return Guess(self.labels[0], 1.0, "", 0.0)
        rest = scores.copy()
        rest[best] = -math.inf
        second = int(rest.argmax())
        return Guess(self.labels[best], float(chances[best]), self.labels[second], float(chances[second]))


def _by_language(arrays: Mapping[str, npt.NDArray[Any]]) -> dict[str, float]:
    """The thresholds of the languages that a model was calibrated for; none in a model without."""
    if "unsure_languages" not in arrays:
        return {}
    return dict(zip(lines(arrays["unsure_languages"]), arrays["unsure_by_language"].tolist(), strict=True))


def _places(vocabulary: Mapping[str, int], found: list[str]) -> Collection[int]:
    known = dict.fromkeys(map(vocabulary.get, found))
    known.pop(None, None)
    return cast(Collection[int], known)


class _Meaning:
    """The part of a model that judges a sentence's vector: weights, its share in the fused opinion, calibration."""

    def __init__(self, arrays: dict[str, npt.NDArray[Any]]) -> None:
        self.version = lines(arrays["embed_version"])[0]
        self.temperature = float(arrays["embed_temperature"])
        self.unsure_below = float(arrays["embed_unsure_below"])
        self._weights = arrays["embed_weights"].astype(np.float64)
        self._bias = arrays["embed_bias"].astype(np.float64)
        self._share = float(arrays["embed_share"])

    def fuse(self, logits: npt.NDArray[np.float64], vector: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Both opinions as log-probabilities, weighed by their shares."""
        return fused(logits, vector @ self._weights + self._bias, self._share)


def fused(sparse: npt.NDArray[np.float64], dense: npt.NDArray[np.float64], share: float) -> npt.NDArray[np.float64]:
    """The weighed sum of the log-probabilities of two rows (or tables) of logits; `share` is that of the second."""
    return (1.0 - share) * _log_chances(sparse) + share * _log_chances(dense)


def _log_chances(logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    shifted = logits - logits.max(axis=-1, keepdims=True)
    result: npt.NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return result


def lines(packed: npt.NDArray[Any]) -> list[str]:
    """The strings of an array of UTF-8 bytes, one a line."""
    text = packed.astype(np.uint8).tobytes().decode("utf-8")
    return text.split("\n") if text else []


def pack(strings: Sequence[str]) -> npt.NDArray[np.uint8]:
    """Strings as an array of UTF-8 bytes, one a line; the reverse of what a model reads."""
    return np.frombuffer("\n".join(strings).encode("utf-8"), dtype=np.uint8)

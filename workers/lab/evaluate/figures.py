"""How good are predicted labels?

In: true and predicted labels, confidences. Out: macro-F1, coverage at a precision, what was taken for what, and a table
by label. The definitions are those of the acceptance score: macro-F1 over the labels of the truth; coverage is the
largest share of messages, the most confident first, that are right in 95 of 100 cases.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

__all__ = ["PRECISION", "by_label", "confusions", "coverage", "macro_f1"]

PRECISION: Final = 0.95


def by_label(truth: Sequence[str], predicted: Sequence[str]) -> list[dict[str, Any]]:
    """A row for each label of the truth: messages, precision, recall, f1."""
    asked, given = Counter(truth), Counter(predicted)
    right = Counter(t for t, p in zip(truth, predicted, strict=True) if t == p)
    return [
        {
            "label": label,
            "messages": asked[label],
            "precision": round(right[label] / given[label], 4) if given[label] else 0.0,
            "recall": round(right[label] / asked[label], 4),
            "f1": round(2 * right[label] / (asked[label] + given[label]), 4),
        }
        for label in sorted(asked)
    ]


def macro_f1(truth: Sequence[str], predicted: Sequence[str]) -> float:
    """The mean of the labels' F1; 0 for no messages."""
    asked, given = Counter(truth), Counter(predicted)
    right = Counter(t for t, p in zip(truth, predicted, strict=True) if t == p)
    return sum(2 * right[label] / (asked[label] + given[label]) for label in asked) / len(asked) if asked else 0.0


def coverage(confidences: Sequence[float], right: Sequence[bool], precision: float = PRECISION) -> tuple[float, float]:
    """The share of messages that can be answered at this precision, and the confidence from which on they are.

    Messages of equal confidence stand or fall together. (0.0, above every confidence) when no share reaches it.
    """
    order = sorted(zip(confidences, right, strict=True), key=lambda pair: -pair[0])
    share, threshold, good = 0.0, 1.01, 0
    for count, (confidence, is_right) in enumerate(order, 1):
        good += is_right
        last_of_equals = count == len(order) or order[count][0] != confidence
        if last_of_equals and good / count >= precision:
            share, threshold = count / len(order), confidence
    return share, threshold


def confusions(truth: Sequence[str], predicted: Sequence[str]) -> list[dict[str, Any]]:
    """What was taken for what, most frequent first."""
    wrong = Counter((t, p) for t, p in zip(truth, predicted, strict=True) if t != p)
    ordered = sorted(wrong.items(), key=lambda item: (-item[1], item[0]))
    return [{"label": label, "taken_for": other, "messages": count} for (label, other), count in ordered]

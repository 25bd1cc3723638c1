"""Do the clocks keep the rules? Recorded cases with their answers are worked through the library's own functions.

In: a file in the format of the deadline vectors (operations on schedules, and stories of events with policies). Out:
one answer a case, shaped like what the file expects, and figures: how many are equal, by kind.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from router import private
from router.errors import ConfigurationError
from workers.lab.evaluate.deadline_cases import answer

__all__ = ["evaluate_deadlines"]

#: What of a clock is compared.
_COMPARED = ("metric", "cycle", "start", "due", "state", "end")
_LOGGED = ("metric", "cycle", "at")


def evaluate_deadlines(path: Path, predictions: Path | None = None, json_output: bool = False) -> dict[str, Any]:
    """Answer every case of this file; write the answers as lines `{"id", "result"}` if a path is given.

    The figures: cases, exact, by operation, and the ids of those that differ. `json_output` leaves the ids of all of
    them in, else the first twenty. Raises ConfigurationError if the file is no such file.
    """
    rows = [(case, answer(case)) for case in _cases(path)]
    if predictions is not None:
        lines = (json.dumps({"id": case.get("id"), "result": result}, ensure_ascii=False) for case, result in rows)
        try:
            private.write(predictions, "".join(line + "\n" for line in lines))
        except OSError as wrong:
            raise ConfigurationError(f"{predictions}: cannot be written ({wrong.strerror})") from None
    totals, exact, different = Counter[str](), Counter[str](), list[str]()
    for case, result in rows:
        operation = str(case.get("op"))
        totals[operation] += 1
        if "expect" in case and _equal(operation, case["expect"], result):
            exact[operation] += 1
        else:
            different.append(str(case.get("id")))
    return {
        "cases": len(rows),
        "exact": exact.total(),
        "operations": {name: {"cases": count, "exact": exact[name]} for name, count in sorted(totals.items())},
        "different": different if json_output else different[:20],
    }


def _cases(path: Path) -> list[Mapping[str, Any]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as wrong:
        raise ConfigurationError(f"{path}: cannot be read ({wrong.strerror})") from None
    except (ValueError, RecursionError) as wrong:
        raise ConfigurationError(f"{path}: is no JSON ({wrong}); give a file of deadline cases") from None
    cases = content.get("vectors") if isinstance(content, dict) else content
    if not isinstance(cases, list) or not all(isinstance(case, dict) for case in cases):
        raise ConfigurationError(f'{path}: has no list "vectors"; give a file of deadline cases')
    return cases


def _equal(operation: str, expected: Any, got: Mapping[str, Any]) -> bool:
    if not isinstance(expected, Mapping) or "error" in expected or "error" in got:
        return bool(expected == got)
    if operation != "sla":
        return all(got.get(key) == value for key, value in expected.items())
    return (
        _comparable(expected.get("clocks"), _COMPARED) == _comparable(got.get("clocks"), _COMPARED)
        and _comparable(expected.get("breaches"), _LOGGED) == _comparable(got.get("breaches"), _LOGGED)
        and expected.get("next_due") == got.get("next_due")
    )


def _comparable(rows: Any, keys: tuple[str, ...]) -> list[tuple[str, ...]]:
    return sorted(tuple(str(row.get(key)) for key in keys) for row in rows or () if isinstance(row, Mapping))

"""`omnirouter evaluate deadlines` and its speed table: an answer to every case, and figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.errors import ConfigurationError
from workers.lab.bench.deadlines import bench_deadlines
from workers.lab.evaluate.deadline_cases import answer
from workers.lab.evaluate.deadlines import evaluate_deadlines

RECORDED = Path(__file__).parent.parent / "data" / "deadlines.json"


def test_the_recorded_cases_are_all_exact(tmp_path: Path) -> None:
    """Every recorded case is exact, and each has one line of answer with its id."""
    out = tmp_path / "answers.jsonl"
    figures = evaluate_deadlines(RECORDED, out, json_output=True)
    assert figures["exact"] == figures["cases"] == 234
    assert figures["different"] == []
    rows = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert [row["id"] for row in rows] == [v["id"] for v in json.loads(RECORDED.read_text("utf-8"))["vectors"]]


def test_a_wrong_expectation_is_counted(tmp_path: Path) -> None:
    """A case that differs from what its file expects is named in the figures."""
    case = json.loads(RECORDED.read_text("utf-8"))["vectors"][0] | {"expect": {"due": "2000-01-01T00:00:00Z"}}
    path = tmp_path / "one.json"
    path.write_text(json.dumps({"vectors": [case]}), "utf-8")
    figures = evaluate_deadlines(path)
    assert (figures["cases"], figures["exact"], figures["different"]) == (1, 0, [case["id"]])


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "cannot be read"), ("{", "is no JSON"), ("{}", 'no list "vectors"'), ("[1]", "no list")],
)
def test_a_file_that_is_none(tmp_path: Path, content: str | None, says: str) -> None:
    """A file that cannot be evaluated is refused in one sentence."""
    path = tmp_path / "cases.json"
    if content is not None:
        path.write_text(content, "utf-8")
    with pytest.raises(ConfigurationError, match=says):
        evaluate_deadlines(path)


STORY: dict[str, Any] = {
    "op": "sla",
    "schedules": {"desk": {"tz": "UTC", "week": {"mon": [["09:00", "18:00"]]}}},
    "policies": [{"name": "p", "schedule": "desk", "targets": {"first_reply": {"s": 60}}}],
    "events": [{"at": "2026-03-02T10:00:00Z", "type": "customer_message"}],
    "probe": "2026-03-02T11:00:00Z",
}


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"op": "unheard"}, "unknown_operation"),
        ({"probe": "2026-03-02T11:00:00"}, "naive_datetime"),
        ({"events": [{"at": "2026-03-02T10:00:00", "type": "customer_message"}]}, "naive_datetime"),
        ({"policies": [{"name": "p", "schedule": "desk", "targets": {"first_reply": {"s": -1}}}]}, "invalid_target"),
        ({"policies": [{"name": "p", "schedule": "desk", "targets": {"update": {"s": "1h"}}}]}, "invalid_target"),
        ({"policies": [{"name": "p", "schedule": "night", "targets": {"first_reply": {"s": 60}}}]}, "invalid_case"),
        ({"schedules": {"desk": {"tz": "UTC", "week": {}}}}, "no_open_time"),
        ({"schedules": {"desk": {"tz": "Mars/Base", "week": {}}}}, "unknown_timezone"),
        ({"schedules": {"desk": {"tz": "UTC", "week": {"mon": [["09:00", "09:00"]]}}}}, "invalid_interval"),
        ({"policies": [{"name": "p", "when": "x", "schedule": "desk", "targets": {}}]}, "invalid_case"),
        ({"events": [{"type": "customer_message"}]}, "invalid_case"),
        ({"events": 7}, "invalid_case"),
        ({"probe": "soon"}, "invalid_case"),
    ],
)
def test_a_case_that_cannot_be_has_an_error(change: dict[str, Any], error: str) -> None:
    """What a case gets wrong is answered with a code, never with a crash."""
    assert answer(STORY | change) == {"error": error}


JUNK = st.recursive(
    st.one_of(st.none(), st.integers(-5, 10**12), st.text(max_size=6), st.sampled_from(["2026-03-02T10:00:00Z"])),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=4), inner, max_size=2)),
    max_leaves=5,
)
KEYS = ("schedule", "start", "end", "seconds", "days", "schedules", "policies", "events", "probe", "attrs")


@settings(max_examples=200)
@given(
    st.sampled_from(["due", "elapsed", "is_open", "next_open", "due_workdays", "sla"]),
    st.dictionaries(st.sampled_from(KEYS), JUNK),
)
def test_any_case_has_an_answer(operation: str, junk: dict[str, Any]) -> None:
    """Whatever a case holds, there is an answer that can be written down."""
    good = {
        "schedule": STORY["schedules"]["desk"],
        "start": "2026-03-02T10:00:00Z",
        "end": STORY["probe"],
        "seconds": 5,
    }
    assert json.dumps(answer({**STORY, **good, "days": 1, **junk, "op": operation}))


def test_the_speed_table_compares_the_same_answers() -> None:
    """The table of speeds has our rate, the other package's on the same questions with equal answers, and a ratio."""
    rows = {row["what"]: row for row in bench_deadlines(questions=400)}
    assert rows["businesstimedelta"]["note"] == "20 of 20 answers equal ours"
    assert [what for what, row in rows.items() if row["value"] is None] == []
    assert rows["ratio"]["unit"] == "times"

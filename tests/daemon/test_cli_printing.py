"""Tables for people, JSON for programs, and nothing in either that steers a terminal."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta, timezone

import pytest

from workers.cli.printing import json_line, line, progress, show, warn

AT = datetime(2026, 3, 1, 21, 50, tzinfo=timezone(timedelta(hours=8)))


def test_a_piped_table_is_aligned_by_what_is_seen(capsys: pytest.CaptureFixture[str]) -> None:
    """A Chinese character takes two columns, and nothing is drawn when nobody looks on."""
    show([{"ref": "A1", "name": "陈先生", "due": AT}, {"ref": "B22", "name": "Li", "due": None}], as_json=False)
    assert capsys.readouterr().out.splitlines() == [
        "ref  name    due",
        "A1   陈先生  2026-03-01T13:50:00Z",
        "B22  Li",
    ]


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (True, "yes"),
        (False, "no"),
        (None, ""),
        (0.5, "0.5"),
        (2.0, "2"),
        (["a", 1], "a, 1"),
        ("a\x1b[31mb\nc\u202e", r"a\x1b[31mb c\u202e"),
    ],
)
def test_values_are_shown_as_people_write_them(capsys: pytest.CaptureFixture[str], value: object, cell: str) -> None:
    """Truth, numbers, lists and times are written plainly; control characters do not reach the terminal."""
    show([{"value": value, "end": "|"}], as_json=False)
    assert capsys.readouterr().out.splitlines()[1].partition("|")[0].rstrip() == cell


def test_a_terminal_gets_a_drawn_table_with_the_words_as_they_are(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal the table is drawn, and brackets in a customer's text are text, not colours."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    show([{"text": "[red]refund[/red] [link=x]"}], as_json=False, title="Queue")
    shown = capsys.readouterr().out
    assert "[red]refund[/red] [link=x]" in shown
    assert "─" in shown
    assert "Queue" in shown


def test_progress_draws_for_somebody_who_looks_on(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal long work draws its bar on stderr and leaves stdout alone."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert list(progress([1, 2], "Reading", total=2)) == [1, 2]
    shown = capsys.readouterr()
    assert "Reading" in shown.err
    assert shown.out == ""


def test_json_is_one_document_with_utc_times(capsys: pytest.CaptureFixture[str]) -> None:
    """Programs get a list of objects, Chinese as it is, instants in UTC."""
    show([{"name": "陈", "at": AT.astimezone(UTC)}], as_json=True)
    text = capsys.readouterr().out
    assert json.loads(text) == [{"name": "陈", "at": "2026-03-01T13:50:00Z"}]
    assert "陈" in text
    show([], as_json=True)
    assert capsys.readouterr().out == "[]\n"


def test_an_empty_table_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing to show is said in words."""
    show([], as_json=False, empty="No conversation waits.")
    assert capsys.readouterr().out == "No conversation waits.\n"


def test_lines_go_to_their_stream(capsys: pytest.CaptureFixture[str]) -> None:
    """What was found goes to stdout, what is wrong to stderr."""
    line("found\x07")
    warn("wrong\x1b")
    json_line({"a": 1})
    assert capsys.readouterr() == ("found\\x07\n{\"a\":1}\n", "wrong\\x1b\n")


def test_progress_is_silent_when_piped(capsys: pytest.CaptureFixture[str]) -> None:
    """Long work passes its items through and draws nothing when nobody looks on."""
    assert list(progress(range(3), "Reading")) == [0, 1, 2]
    assert capsys.readouterr() == ("", "")

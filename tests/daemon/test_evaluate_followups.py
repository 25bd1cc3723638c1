"""A desk measures follow-ups on sequences of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from router.errors import InvalidPayload
from router.policy.values import Policy
from workers import cli
from workers.lab.bench.followups import bench_followups
from workers.lab.evaluate.followups import Prediction, evaluate_followups, predict, score

DATA = Path(__file__).parent.parent / "data" / "followups.jsonl"


def item(id_: str, at: str, text: str, class_: str, letter: str, **more: Any) -> dict[str, Any]:
    return {
        "id": id_, "sent_at": f"2026-03-02T{at}:00+08:00", "channel": "chat", "sender": {"handle": "W1"}, "text": text,
        "expect": {"class": class_, "conversation": letter}, **more,
    }  # fmt: skip


SEQUENCE = {
    "id": "one",
    "family": "own",
    "items": [
        item("1", "10:00", "提现1200一直显示审核中", "first", "A"),
        {"event": "reply", "at": "2026-03-02T10:05:00+08:00", "of_item": 0, "text": "请提供卡号后四位"},
        item("2", "10:06", "3310", "addition", "A"),
        {"event": "status", "at": "2026-03-02T11:00:00+08:00", "of_item": 2, "to": "closed"},
        item("2", "12:00", "3310", "redelivery", "A"),
        item("3", "12:30", "好的谢谢", "ack", "A"),
    ],
}


def test_events_count_as_items_and_apply_where_their_item_went() -> None:
    """Indexes are those of the file; a redelivery is a class of its own."""
    found = list(predict(SEQUENCE, Policy.preset("wallet")))
    assert [(p.item, p.class_) for p in found] == [(0, "first"), (2, "addition"), (4, "redelivery"), (5, "ack")]
    assert len({p.conversation for p in found}) == 1


def test_figures_and_predictions(tmp_path: Path) -> None:
    """All right is one; a line is written for each message."""
    file, out = tmp_path / "own.jsonl", tmp_path / "out.jsonl"
    file.write_text(json.dumps(SEQUENCE, ensure_ascii=False) + "\n\n", encoding="utf-8")
    figures = evaluate_followups(file, out)
    assert (figures["messages"], figures["conversation"], figures["macro_f1"], figures["mistakes"]) == (4, 1.0, 1.0, [])
    rows = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert rows[1] == {"id": "one", "item": 2, "class": "addition", "conversation": "1"}


@pytest.mark.parametrize(
    ("numbers", "figure"),
    [
        (("1", "2", "1", "1"), {"missed": 1, "wrong": 0}),
        (("1", "1", "1", "2"), {"missed": 1, "wrong": 0}),
        (("1", "1", "1", "1"), {"missed": 0, "wrong": 0}),
    ],
)
def test_missed_and_wrong(numbers: tuple[str, ...], figure: dict[str, int]) -> None:
    """A continuation that opens a conversation is missed."""
    classes = ("first", "addition", "redelivery", "ack")
    found = [Prediction("one", i, c, n) for i, c, n in zip((0, 2, 4, 5), classes, numbers, strict=True)]
    figures = score([SEQUENCE], found)
    assert round(figures["missed"] * 3) == figure["missed"]
    assert figures["wrong"] == figure["wrong"]


def test_a_stranger_in_somebody_s_conversation_is_a_leak() -> None:
    """The one mistake that must never happen is counted apart."""
    other = item("9", "10:01", "提现1200一直显示审核中", "first", "B", sender={"handle": "W2"})
    truth = {"id": "two", "items": [SEQUENCE["items"][0], other]}
    figures = score([truth], [Prediction("two", 0, "first", "1"), Prediction("two", 1, "first", "1")])
    assert (figures["leak"], figures["wrong"]) == (1, 0.5)


def test_a_message_without_a_prediction_is_absent() -> None:
    """Silence is no answer."""
    assert score([SEQUENCE], [])["absent"] == 4


@pytest.mark.parametrize(("line", "sentence"), [("{", "line 1: this is no JSON"), ('{"id": "x"}', 'a list "items"')])
def test_a_wrong_file_is_told_in_a_sentence(tmp_path: Path, line: str, sentence: str) -> None:
    """The line and what would be right."""
    file = tmp_path / "bad.jsonl"
    file.write_text(line, encoding="utf-8")
    with pytest.raises(InvalidPayload, match=sentence):
        evaluate_followups(file)


def with_items(*items: Any) -> bytes:
    return json.dumps({"id": "x", "items": items}).encode()


FIRST = item("1", "10:00", "提现1200一直显示审核中", "first", "A")
AT = "2026-03-02T11:00:00+08:00"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "has no sequence; lines with"),
        ('{"id": "客服"}'.encode("gb18030"), r"is not UTF-8 text \(byte 8\)"),
        (with_items(5), r"line 1: items\[0\]: expected a message or an event"),
        (with_items({"id": "1"}), r"line 1: .*sent_at"),
        (with_items(FIRST | {"expect": "A"}), r"items\[0\].expect: expected an object"),
        (with_items(FIRST | {"expect": {"class": "frist", "conversation": "A"}}), "there is no class 'frist'; known:"),
        (with_items(FIRST, {"event": "merge", "at": AT, "of_item": 0}), "no event 'merge'; known: reply, status"),
        (with_items(FIRST, {"event": "status", "at": AT, "of_item": 0, "to": "weird"}), "there is no status 'weird'"),
        (with_items(FIRST, {"event": "reply", "at": "11:00", "of_item": 0}), r"items\[1\].at: expected an instant"),
        (with_items(FIRST, {"event": "reply", "at": AT, "of_item": 99}), r"of_item: 99 names no earlier message"),
        (with_items(FIRST, {"event": "reply", "at": AT, "conversation": "B"}), r"conversation: 'B' names no earlier"),
        (with_items(FIRST, {"event": "reply", "at": AT}), "None names no earlier message"),
    ],
)
def test_whatever_the_file_holds_is_a_sentence(
    tmp_path: Path, content: bytes, sentence: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is passed over in silence: the command ends with 2 and names the line, the item and what is right."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OMNIROUTER_CONFIG", raising=False)
    file = tmp_path / "own.jsonl"
    file.write_bytes(content)
    with pytest.raises(InvalidPayload, match=sentence):
        evaluate_followups(file)
    assert cli.main(["evaluate", "followups", str(file)]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)


def test_a_message_needs_no_channel(tmp_path: Path) -> None:
    """Without one it came by chat."""
    file = tmp_path / "own.jsonl"
    without = {key: value for key, value in FIRST.items() if key != "channel"}
    file.write_bytes(with_items(without))
    assert evaluate_followups(file)["conversation"] == 1.0


def test_the_bench_measures_decisions() -> None:
    """Each row names what it measured."""
    rows = bench_followups(rounds=1)
    assert [row["unit"] for row in rows] == ["µs"] * len(rows)
    assert all(row["value"] > 0 for row in rows)

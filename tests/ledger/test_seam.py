"""A secret that a customer sends in several messages is taken out of all of them, and of all that was made of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from router.decision.decide import decide
from router.known import Known

HALVES = ["legal winner thank year wave sausage", "worth useful legal winner thank yellow"]
THIRDS = ["legal winner thank year", "wave sausage worth useful", "legal winner thank yellow"]
CARD = ["卡号我分两次发 41111111", "11111111"]
Rows = Callable[[str], list[dict[str, Any]]]


def clear(rows: Rows, words: list[str]) -> list[str]:
    """Which of these words stand in clear in any table but that of the raws."""
    tables = ("messages", "conversations", "markers", "decisions", "events", "outbox")
    held = json.dumps([rows(name) for name in tables], ensure_ascii=False, default=str)
    return [word for word in words if word in held]


@pytest.mark.parametrize("together", [True, False], ids=["one batch", "one by one"])
@pytest.mark.parametrize(
    ("texts", "left", "words"),
    [
        (HALVES, ["[已隐去:助记词]"] * 2, ["sausage", "yellow", "useful"]),
        (THIRDS, ["[已隐去:助记词]"] * 3, ["winner", "sausage", "yellow"]),
        (CARD, ["卡号我分两次发 [已隐去:银行卡 ****1111]", "[已隐去:银行卡 ****1111]"], ["41111111", "11111111"]),
        ([HALVES[0], "在吗", HALVES[1]], ["[已隐去:助记词]", "在吗", "[已隐去:助记词]"], ["sausage", "yellow"]),
        (["41111111", "22222222"], ["41111111", "22222222"], []),
    ],
    ids=["seed in halves", "seed in three", "card in halves", "a word between", "two orders"],
)
def test_no_piece_stays(
    desk: Any, rows: Rows, together: bool, texts: list[str], left: list[str], words: list[str]
) -> None:
    """Neither in the messages nor in what is remembered or sought by; other people's words stay."""
    other = desk.take(desk.said("订单 99887766 没到账", sender="u-9"))[0].contact.number
    said = [desk.said(text) for text in texts]
    for batch in [said] if together else [[message] for message in said]:
        desk.take(*batch)
    assert [row["text"] for row in sorted(rows("messages"), key=lambda row: row["number"])][1:] == left
    assert [row for row in rows("markers") if row["key"] == "order:99887766" and row["contact"] == other] != []
    held = [row for name in ("messages", "conversations", "markers") for row in rows(name) if row["contact"] != other]
    told = json.dumps(held, ensure_ascii=False, default=str)
    assert [word for word in words if word in told] == []
    exposed = any("seed" in text or "助记词" in text for text in left)
    assert any("secret_exposed" in row["flags"] for row in rows("conversations")) == exposed


def test_a_redelivery_of_a_half_is_one_still(desk: Any, rows: Rows) -> None:
    """What was rewritten is known by what it was."""
    said = [desk.said(text) for text in HALVES]
    desk.take(*said)
    desk.take(*said)
    assert len(rows("messages")) == 2


def test_somebody_elses_half_is_no_half(desk: Any, rows: Rows) -> None:
    """Only pieces of one person make a secret; and those that lie a week apart make none."""
    desk.take(desk.said(HALVES[0], sender="u-1"), desk.said(HALVES[1], sender="u-2"))
    desk.take(desk.said(HALVES[1], sent_at=desk.noon + timedelta(days=7)))
    assert clear(rows, ["sausage", "yellow"]) == ["sausage", "yellow"]


def test_a_mail_keeps_its_quote_without_the_piece(desk: Any, rows: Rows) -> None:
    """The whole text loses what the own words lose."""
    desk.take(desk.mailed(f"{HALVES[0]}\n\n> 请问您的问题是什么"), desk.mailed(HALVES[1]))
    first = min(rows("messages"), key=lambda row: row["number"])
    assert "sausage" not in f"{first['text']} {first['own_text']}"
    assert "请问您的问题是什么" in first["text"]


def test_a_program_decides_the_same_without_a_database(desk: Any, store: Any) -> None:
    """The snapshot carries the pieces on; it holds no more than the last three of a conversation."""
    known = Known.empty()
    for text in ["41", "42", "43", *THIRDS]:
        message = desk.said(text)
        decision = decide(message, known, store.policy, desk.noon)
        known = known.after(message, decision)
        assert all(len(held) <= 3 for held in known.fragments.values())
    assert [one.text for one in decision.rewritten] == ["[已隐去:助记词]"] * 2
    assert (decision.text, decision.flags) == ("[已隐去:助记词]", ("secret_exposed", *decision.flags[1:]))
    assert [one.text for held in known.fragments.values() for one in held] == ["43"]

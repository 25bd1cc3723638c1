"""How long does a decision take, with some conversations of the customer open, and where does the time go?

Asked: chasers, additions, restatements and new issues in two languages, against one and five open conversations, by
the built-in wallet policy, without any database. Out: rows of a table. Figures are CPU time of this process, the best
of several turns.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from router.decision.decide import decide, decide_prepared, prepare
from router.known import Known
from router.model import Message, Placement, Sender
from router.policy.values import Policy

__all__ = ["bench_followups"]

_START = datetime(2026, 3, 2, 2, tzinfo=UTC)
_TURNS = 5
_ISSUES = (
    "转账2000给我弟,显示成功可他没收到 单号TP202690702951",
    "提现1200一直显示审核中",
    "换手机后登录不了,一直说设备异常",
    "Cannot link my bank card, it says details do not match",
    "The shop says it refunded me but nothing came back",
)
_ASKED = (
    "在吗",
    "refund还没消息吗",
    "提到的是农行卡,尾号3310",
    "any progress on the card linking?",
    "My card was charged twice for one ticket, 45 each, order TP202655667788, please check it",
    "新手机上账号登不进去,提示设备有风险",
)


def bench_followups(rounds: int = 200) -> list[dict[str, Any]]:
    """Rows `{"what", "value", "unit", "note"}`: microseconds a decision, and of it what reading alone takes."""
    policy = Policy.preset("wallet")
    asked = [_message(100 + n, text, 120 + n) for n, text in enumerate(_ASKED)]
    rows = []
    for count in (1, len(_ISSUES)):
        known = _known(_ISSUES[:count], policy)
        took = _best(_deciding(known, policy), asked, rounds)
        rows.append(_row(f"decision, {count} open", took, "tagging, routing, deadline and trace included"))
    rows.append(_row("reading alone", _best(lambda m: prepare(m, policy), asked, rounds), "own words to issue type"))
    known = _known(_ISSUES, policy)
    prepared = {m.external_id: prepare(m, policy) for m in asked}
    took = _best(lambda m: decide_prepared(prepared[m.external_id], known, policy, m.sent_at), asked, rounds)
    rows.append(_row("deciding alone, 5 open", took, "what was read before is not read again"))
    return rows


def _deciding(known: Known, policy: Policy) -> Callable[[Message], Any]:
    return lambda message: decide(message, known, policy, message.sent_at)


def _known(texts: Sequence[str], policy: Policy) -> Known:
    known = Known.empty()
    for number, text in enumerate(texts):
        message = _message(number, text, number)
        decision = decide(message, known, policy, message.sent_at)
        if isinstance(decision, Placement):
            known.absorb(decision.message, decision)
    return known


def _message(number: int, text: str, minutes: int) -> Message:
    return Message(
        external_id=f"m{number}",
        channel="app-chat",
        channel_kind="webhook",
        sent_at=_START + timedelta(minutes=minutes),
        sender=Sender(handle="W1", verified={"account": "W1", "email": "w1@post.test"}),
        text=text,
    )


def _best(work: Callable[[Message], Any], asked: Sequence[Message], rounds: int) -> float:
    """Microseconds a message, the best of several turns."""
    for message in asked:
        work(message)
    found = []
    for _ in range(_TURNS):
        begun = time.process_time()
        for _ in range(rounds):
            for message in asked:
                work(message)
        found.append((time.process_time() - begun) / rounds / len(asked))
    return min(found) * 1e6


def _row(what: str, value: float, note: str) -> dict[str, Any]:
    return {"what": what, "value": round(value, 1), "unit": "µs", "note": note}

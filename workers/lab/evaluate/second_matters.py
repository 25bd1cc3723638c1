"""Is a second matter seen as one, and what goes on with the first as that?

In: labelled messages (`workers.lab.labelled`). Out: pairs that one customer could write in one chat, each decided in a
world of its own: messages of different issue types, which are two matters, and a message in two pieces, or lines of one
`matter`, which are one. Between the two stands nothing, a word of the desk or its question. Lines with a `subject` are
paired as mails of their own, without a reply header, as well. The pairs of a file are the same on every run.
"""

from __future__ import annotations

import json
import random
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, Final, NamedTuple

from router import private
from router.errors import ConfigurationError
from router.policy.values import Policy
from router.text.meaning.fold import language
from workers.lab.evaluate.followups import predict
from workers.lab.evaluate.interval import interval
from workers.lab.labelled import Labelled, labelled_messages

__all__ = ["Pair", "evaluate_second_matters", "pairs"]

_SEED: Final = 20260301
_BEGIN: Final = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
#: Types that are no matter of their own, and groups of types that may be two sides of one matter.
_NO_MATTER: Final = frozenset(("other", "complaint"))
_AKIN: Final = (
    frozenset(("login", "password_recovery", "account_locked", "account_frozen", "verification", "security")),
    frozenset(("transfer_failed", "payment_unconfirmed", "dispute", "refund", "fee")),
    frozenset(("security", "phishing_leak", "dispute", "account_frozen")),
    frozenset(("topup_failed", "withdrawal_failed", "card_binding", "account_frozen", "verification")),
    frozenset(("app_bug", "feedback", "login")),
)
#: Minutes from the last words to the second message: pieces come soon, another matter may come at any time; where
#: nothing stands between, what follows within minutes is a piece of the same (rules: follow-ups, 7a).
_PAUSES: Final = {
    ("other", "nothing"): (20, 120, 960), ("other", "word"): (1, 5, 20, 120), ("other", "question"): (1, 5, 20, 120),
    ("same", "nothing"): (0.2, 1, 5), ("same", "word"): (0.5, 2, 20), ("same", "question"): (0.5, 2, 20),
}  # fmt: skip
_HOURS: Final = (3, 26, 70)
_BETWEEN: Final = ("nothing", "word", "question")
_DESK: Final[Mapping[tuple[str, str], Sequence[str]]] = {
    ("word", "zh-Hans"): ("您好,已经帮您登记了,请稍等", "收到,我们核实后回复您", "好的,已转给同事处理"),
    ("word", "zh-Hant"): ("您好,已經幫您登記了,請稍候", "收到,我們查證後回覆您", "好的,已轉交同事處理"),
    ("word", "en"): ("Thanks, I have noted this down.", "We are looking into it.", "I have passed this on."),
    ("question", "zh-Hans"): ("您好,请问是什么时候的事?", "麻烦提供一下单号或者截图", "请问您用的是哪张卡,尾号多少?"),
    ("question", "zh-Hant"): ("您好,請問是什麼時候的事呢?", "麻煩提供一下單號或截圖", "請問您用的是哪張卡,末四碼是?"),
    ("question", "en"): ("When did this happen?", "Could you send me the reference or a screenshot?",
                         "Which card is it, and what are its last four digits?"),
}  # fmt: skip
#: Where a message may be cut in two: behind the marks of a sentence or a clause; in Chinese also at a space.
_MARKS: Final = {"en": re.compile(r"[.!?;\n]+\s*|,\s+"), "zh": re.compile(r"[。.!?！？;；,，\s]+")}
_LEAST: Final = {"en": 12, "zh": 4}
_MOST_MISTAKES: Final = 60


class Pair(NamedTuple):
    """Two messages of one customer: `kind` says whether they are of the `same` matter or of an `other`; what the desk
    says between them (empty: nothing) is a `word` or a `question`; `minutes` passed before the second."""

    first: Labelled
    second: Labelled
    kind: str
    between: str
    said: str
    minutes: float
    channel: str = "chat"


class _Judged(NamedTuple):
    pair: Pair
    joined: bool
    class_: str


def evaluate_second_matters(
    path: Path, predictions: Path | None = None, policy: Policy | None = None
) -> dict[str, Any]:
    """How many second matters were swallowed and how many goings-on split off, by what stood between and how long.

    Writes `{"first", "second", "kind", "channel", "between", "minutes", "joined", "class"}` lines to `predictions`.
    Raises ConfigurationError, naming the line, for what is no labelled message, and where nothing can be paired.
    """
    policy = policy or Policy.load()
    found = [_judge(pair, policy) for pair in pairs(labelled_messages(path))]
    if not any(one.pair.kind == "other" for one in found):
        raise ConfigurationError(f"{path}: has no two messages of one language and of issue types that are far apart")
    if predictions is not None:
        private.write(predictions, "".join(map(_line, found)))
    return _figures(found)


def pairs(messages: Sequence[Labelled]) -> list[Pair]:
    """The pairs of these messages: each message of a matter meets one of another, in each of the three ways."""
    made = [*_others(messages), *_halves(messages), *_same(messages)]
    steps: defaultdict[tuple[str, str], Iterator[int]] = defaultdict(count)
    chats = [pair for first, second, kind in made for pair in _between(first, second, kind, steps)]
    mails = [message for message in messages if message.subject]
    return [*chats, *_mailed([*_others(mails), *_same(mails)])]


def _between(
    first: Labelled, second: Labelled, kind: str, steps: Mapping[tuple[str, str], Iterator[int]]
) -> Iterator[Pair]:
    spoken = _language(first.text)
    for between in _BETWEEN:
        step = next(steps[kind, between])
        desk = _DESK[between, spoken] if between != "nothing" else ("",)
        pauses = _PAUSES["other" if kind == "retold" else kind, between]
        minutes = pauses[step % len(pauses)]
        yield Pair(first, second, kind, between, desk[step // len(pauses) % len(desk)], minutes)


def _mailed(made: Sequence[tuple[Labelled, Labelled, str]]) -> Iterator[Pair]:
    """The same as mails of their own, hours or days apart, without a header that names the first."""
    for place, (first, second, kind) in enumerate(made):
        yield Pair(first, second, kind, "nothing", "", 60 * _HOURS[place % len(_HOURS)], "email")


def _others(messages: Sequence[Labelled]) -> Iterator[tuple[Labelled, Labelled, str]]:
    """Each message with another of its language, the next in a shuffled order that is of another matter."""
    told = [m for m in messages if m.label not in _NO_MATTER and _long(m.text)]
    random.Random(_SEED).shuffle(told)  # noqa: S311  (an order, the same on every run)
    for place, first in enumerate(told):
        following = (told[(place + step) % len(told)] for step in range(1, len(told)))
        second = next((m for m in following if _apart(first, m)), None)
        if second is not None:
            yield first, second, "other"


def _halves(messages: Sequence[Labelled]) -> Iterator[tuple[Labelled, Labelled, str]]:
    """Each longer message in the two pieces that it falls into nearest its middle."""
    for message in messages:
        spoken = "en" if _language(message.text) == "en" else "zh"
        least, text = _LEAST[spoken], message.text.strip()
        cuts = [(m.start(), m.end()) for m in _MARKS[spoken].finditer(text)]
        cuts = [cut for cut in cuts if cut[0] >= least and len(text) - cut[1] >= least]
        if cuts and message.label not in _NO_MATTER:
            end, start = min(cuts, key=lambda cut: abs(cut[0] + cut[1] - len(text)))
            yield message._replace(text=text[:end]), message._replace(text=text[start:], subject=""), "same"


def _same(messages: Sequence[Labelled]) -> Iterator[tuple[Labelled, Labelled, str]]:
    """Lines of one `matter`, one after the other: the matter told again."""
    matters: dict[str, Labelled] = {}
    for message in messages:
        if message.matter:
            if message.matter in matters:
                yield matters[message.matter], message, "retold"
            matters[message.matter] = message


def _apart(first: Labelled, second: Labelled) -> bool:
    """Can these be nothing but two matters of one person?"""
    one, other = {first.label, *first.also}, {second.label, *second.also}
    if one & other or _language(first.text) != _language(second.text):
        return False
    if first.matter and first.matter == second.matter:
        return False
    return not any(one & group and other & group for group in _AKIN)


def _language(text: str) -> str:
    spoken = language(text)
    return spoken if spoken in ("zh-Hans", "zh-Hant") else "en"


def _long(text: str) -> bool:
    return len(text.strip()) >= 2 * _LEAST["en" if _language(text) == "en" else "zh"]


def _judge(pair: Pair, policy: Policy) -> _Judged:
    """Decide the pair, and say whether the second message went to the conversation of the first."""
    handle = "one@log.example" if pair.channel == "email" else "one"
    answered = _BEGIN + timedelta(minutes=1)
    items = [_item(pair.first, "first", _BEGIN, handle, pair.channel)]
    if pair.said:
        items.append({"event": "reply", "at": answered.isoformat(), "of_item": 0, "text": pair.said})
    at = (answered if pair.said else _BEGIN) + timedelta(minutes=pair.minutes)
    items.append(_item(pair.second, "second", at, handle, pair.channel))
    one, two = predict({"id": "pair", "items": items}, policy)
    return _Judged(pair, one.conversation == two.conversation, two.class_)


def _item(message: Labelled, name: str, at: datetime, handle: str, channel: str) -> dict[str, Any]:
    item = {"id": name, "sent_at": at.isoformat(), "channel": channel, "sender": {"handle": handle},
            "text": message.text}  # fmt: skip
    return item | {"subject": message.subject} if channel == "email" and message.subject else item


def _figures(found: Sequence[_Judged]) -> dict[str, Any]:
    chats = [one for one in found if one.pair.channel != "email"]
    alone = [one for one in chats if one.pair.kind == "other" and not one.pair.said]
    asked = [one for one in chats if one.pair.kind == "other" and one.pair.between == "question"]
    told = [one for one in chats if one.pair.kind == "other" and one.pair.between == "word"]
    same = [one for one in chats if one.pair.kind == "same"]
    figures: dict[str, Any] = {
        "pairs": len(found),
        "swallowed": _joined(alone),
        "swallowed_interval": interval([[one.joined for one in alone]]),
        "swallowed_after_word": _joined(told),
        "swallowed_after_question": _joined(asked),
        "question_interval": interval([[one.joined for one in asked]]),
        "split": None if not same else round(1.0 - _joined(same), 4),
    }
    mails = {kind: [one for one in found if one.pair.channel == "email" and one.pair.kind == kind]
             for kind in ("other", "retold")}  # fmt: skip
    if mails["other"]:
        figures["mails_joined_wrongly"] = _joined(mails["other"])
    if mails["retold"]:
        figures["mails_repeats_joined"] = _joined(mails["retold"])
    return figures | {"by_pause": list(_rows(found)), "mistakes": list(_mistakes(found))[:_MOST_MISTAKES]}


def _joined(found: Sequence[_Judged]) -> float:
    return round(sum(one.joined for one in found) / max(1, len(found)), 4)


def _rows(found: Sequence[_Judged]) -> Iterator[dict[str, Any]]:
    groups: dict[tuple[str, str, str, float], list[_Judged]] = defaultdict(list)
    for one in found:
        groups[one.pair.channel, one.pair.kind, one.pair.between, one.pair.minutes].append(one)
    for (channel, kind, between, minutes), ones in sorted(groups.items()):
        joined = _joined(ones)
        wrong = joined if kind == "other" else round(1.0 - joined, 4)
        yield {"channel": channel, "matter": kind, "between": between, "minutes": minutes, "pairs": len(ones),
               "joined": joined, "wrong": wrong}  # fmt: skip


def _mistakes(found: Sequence[_Judged]) -> Iterator[str]:
    for one in found:
        if one.joined == (one.pair.kind == "other"):
            what = "swallowed" if one.joined else "split off"
            words = (" ".join(message.text.split())[:28] for message in one.pair[:2])
            yield f"{one.pair.between} {one.pair.minutes:g} min, {what} as {one.class_}: {' | '.join(words)}"


def _line(one: _Judged) -> str:
    pair = one.pair
    row = {"first": pair.first.id, "second": pair.second.id, "kind": pair.kind, "channel": pair.channel,
           "between": pair.between, "minutes": pair.minutes, "joined": one.joined, "class": one.class_}  # fmt: skip
    return json.dumps(row, ensure_ascii=False) + "\n"

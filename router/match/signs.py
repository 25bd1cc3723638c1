"""By which signs is it told whether a message goes on with a conversation, and as what?

In: the reading of a message, the conversations of its sender as they were weighed. Out: a row of plain numbers for
each conversation, in the order of `NAMES`: what the message is like, what the conversation is like, what they share,
and how this one stands beside the others. Nothing is in them that the snapshot and the message do not hold; a minute
that nobody knows is `NEVER`. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import numpy as np
import numpy.typing as npt

from router.match.features import NO_TOPIC, Reading
from router.match.fingerprint import tongue_of
from router.match.weighed import Weighed, spoken_to
from router.model import Status
from router.text.meaning.pointing import Pointing, pointing
from router.text.meaning.requests import held
from router.text.meaning.utterance import Word

__all__ = ["NAMES", "NEVER", "Floats", "signs"]

Floats = npt.NDArray[np.float64]
#: The logarithm of minutes that never were.
NEVER: Final = float(20)
_MICROSECONDS: Final = 1_000_000
_KINDS: Final = tuple(name.lower() for name in vars(Word) if name.isupper())
_BITS: Final = tuple(bit for name, bit in vars(Word).items() if name.isupper())
_FORMS: Final = (
    "asks", "defines", "refers", "addresses", "adds", "joins", "settled", "other", "corrects", "recurs", "how_far",
    "thanks", "presses", "long",
)  # fmt: skip
_READ: Final = (
    "poor", "states", "chases", "tries", "named", "topical", "clear", "own_subject", "begins_mail", "replies",
)  # fmt: skip
_MESSAGE: Final = (
    *(f"says_{kind}" for kind in _KINDS), *_FORMS, *_READ, "only_thanks", "thanks_alone", "weight", "letters",
    "features", "numbers", "amounts", "identifiers", "cards", "entities", "attachments", "wordless", "certainty",
    "confidence", "no_topic", "mail", "phone", "headed", "serves", "points_rank", "points_other", "points_size",
    "points_that", "holds", "open", "live", "since_any_in", "since_any_out", "chased_any",
)  # fmt: skip
_PAIR: Final = (
    "overlap", "shared", "same_id", "same_text", "same_amount", "same_type", "akin", "conflict", "answered",
    "other_number", "same_subject", "same_number", "same_code", "same_card", "same_entity", "type_before", "type_maybe",
    "type_offered", "runner_up_before", "untyped", "serves_it", "serves_more", "other_tongue", "since_in", "since_out",
    "since_said", "since_opened", "spoken_to", "asked", "asked_and_held", "asked_bits", "desk_shares", "poor_before",
    "wordless_before", "closed", "solved", "pending", "since_ended", "waits", "chased", "messages", "same_kind",
    "same_channel", "piece", "rank_touched", "rank_out", "rank_said", "rank_opened", "points_here", "ends_here",
    "share_of_before", "before_words", "before_amounts",
)  # fmt: skip
_AGAINST: Final = ("overlap", "shared", "since_in", "since_out", "since_said", "serves_it", "desk_shares",
                   "asked_and_held", "points_here", "type_before", "same_amount")  # fmt: skip
#: The names of the signs, in the order of a row's numbers.
NAMES: Final = (*_MESSAGE, *_PAIR, *(f"{name}_beside_others" for name in _AGAINST))
_CONTRASTED: Final = [len(_MESSAGE) + _PAIR.index(name) for name in _AGAINST]


def signs(reading: Reading, weighed: Sequence[Weighed]) -> Floats:
    """A row for each of these conversations, in their order."""
    if not weighed:
        return np.zeros((0, len(NAMES)))
    at, points = reading.message.sent_at, pointing(reading.words)
    holds = held(reading.words[:400])
    of_message = _of_message(reading, weighed, points, holds, at)
    ranks = [_ranks(weighed, key) for key in (_touched, _out, _said_at, _opened)]
    pointed = _pointed(points, weighed)
    ids = weighed[0].features
    rows = [
        [*of_message, *_of_pair(reading, one, ids, holds, at, [rank[n] for rank in ranks], pointed[n], points)]
        for n, one in enumerate(weighed)
    ]
    table = np.array(rows, dtype=np.float64)
    part = table[:, _CONTRASTED]
    if len(rows) == 1:
        beside = part
    else:
        order = np.sort(part, axis=0)
        most, second = order[-1], order[-2]
        beside = part - np.where(part == most, second, most)
    return np.concatenate([table, beside], axis=1)


def _minutes(at: datetime, then: datetime | None) -> float:
    """The logarithm of the minutes since then."""
    return NEVER if then is None else math.log1p(max(0.0, (at - then).total_seconds() / 60))


def _of_message(
    reading: Reading, weighed: Sequence[Weighed], points: Pointing, holds: int, at: datetime
) -> list[float]:
    said, message = reading.said, reading.message
    kinds = said.kinds
    ins = [w.conversation.last_in_at for w in weighed if w.conversation.last_in_at is not None]
    outs = [w.conversation.last_out_at for w in weighed if w.conversation.last_out_at is not None]
    return [
        *(float(bool(kinds & bit)) for bit in _BITS),
        *(float(getattr(said, name)) for name in _FORMS),
        *(float(getattr(reading, name)) for name in _READ),
        float(reading.only_thanks), float(reading.thanks), said.weight, float(len(reading.words)),
        float(len(said.features)), float(len(said.numbers)), float(len(reading.amounts)), float(len(reading.strong)),
        float(len(reading.cards)), float(len(said.entities)), float(len(message.attachments)), float(reading.wordless),
        reading.certainty, reading.tagging.confidence, float(reading.tagging.issue_type in NO_TOPIC),
        float(message.channel_kind == "email"), float(message.channel_kind == "phone"),
        float(bool(message.in_reply_to or message.references)), float(max(said.serves.values(), default=0)),
        float(points.rank), float(points.other), float(points.size), float(points.that), float(holds.bit_count()),
        float(sum(w.conversation.status not in (Status.SOLVED, Status.CLOSED) for w in weighed)),
        float(sum(w.live for w in weighed)),
        _minutes(at, max(ins, default=None)), _minutes(at, max(outs, default=None)),
        float(max(w.conversation.chases for w in weighed)),
    ]  # fmt: skip


def _of_pair(
    reading: Reading, one: Weighed, ids: frozenset[int], holds: int, at: datetime, ranks: Sequence[int],
    pointed: float, points: Pointing,
) -> list[float]:  # fmt: skip
    memory, c, tagging = one.memory, one.conversation, reading.tagging
    types = one.types
    ended = c.closed_at or c.solved_at if c.status in (Status.SOLVED, Status.CLOSED) else None
    serves = max((reading.said.serves.get(kind, 0) for kind in types), default=0)
    answers = spoken_to(c)
    piece = memory.piece[1] if memory.piece else 0
    return [
        one.overlap, one.shared, float(one.same_id), float(one.same_text), float(one.same_amount),
        float(one.same_type), float(one.akin), float(one.conflict), float(one.answered), float(one.other_number),
        float(one.same_subject), float(not set(reading.said.numbers).isdisjoint(memory.numbers)),
        float(one.same_code), float(not set(reading.cards).isdisjoint(memory.cards)),
        float(not set(reading.said.entities).isdisjoint(memory.names)),
        float(tagging.issue_type in types), float(tagging.issue_type in memory.maybe),
        float(tagging.issue_type in memory.offered), float(tagging.runner_up in types),
        float(NO_TOPIC.issuperset(types)), float(serves),
        float(serves - max(reading.said.serves.values(), default=0)),
        float(bool(memory.tongues) and tongue_of(reading) not in memory.tongues),
        _minutes(at, c.last_in_at), _minutes(at, c.last_out_at),
        math.log1p(max(0.0, at.timestamp() - memory.said_at) / 60) if memory.said_at else NEVER,
        _minutes(at, c.opened_at), float(answers), float(memory.asked),
        float((holds & memory.wanted).bit_count() if answers else 0), float(memory.wanted.bit_count()),
        float(len(ids & memory.told)), float(memory.poor), float(memory.wordless),
        float(c.status is Status.CLOSED), float(c.status is Status.SOLVED), float(c.status is Status.PENDING),
        _minutes(at, ended), float(c.waiting_since is not None), float(c.chases), float(min(c.messages, 30)),
        float(reading.message.channel_kind in memory.kinds), float(reading.message.channel in c.channels),
        math.log1p(max(0.0, at.timestamp() - piece / _MICROSECONDS) / 60) if piece else NEVER,
        *map(float, ranks), pointed, float(_ends(points, reading, memory.ids, memory.numbers)),
        len(ids & memory.words) / len(memory.words) if memory.words else 0.0, float(len(memory.words)),
        float(len(memory.amounts)),
    ]  # fmt: skip


def _ends(points: Pointing, reading: Reading, ids: Sequence[str], numbers: Sequence[str]) -> bool:
    """Does it name the last digits of a number of this conversation?"""
    ends = {*points.ends, *(n for n in reading.said.numbers if 2 <= len(n) <= 6)}
    return any(held.endswith(end) and held != end for end in ends for held in (*ids, *numbers))


def _pointed(points: Pointing, weighed: Sequence[Weighed]) -> list[float]:
    """How the pointing words fit each conversation: 1 at it, -1 at another, 0 nowhere."""
    if len(weighed) < 2 or not (points.rank or points.other or points.size):
        return [0.0] * len(weighed)
    if points.rank:
        order = sorted(range(len(weighed)), key=lambda n: weighed[n].conversation.opened_at)
        at = -1 if points.rank < 0 else points.rank - 1
        best = order[at] if at < len(order) else order[-1]
    elif points.other:
        latest = max(range(len(weighed)), key=lambda n: _touched(weighed[n]))
        return [-1.0 if n == latest else 1.0 for n in range(len(weighed))]
    else:
        sums = [max((float(a) for a in w.memory.amounts if a.replace(".", "").isdigit()), default=0.0) for w in weighed]
        best = sums.index(max(sums) if points.size > 0 else min(s for s in sums if s or not any(sums)))
    return [1.0 if n == best else -1.0 for n in range(len(weighed))]


def _touched(one: Weighed) -> float:
    return one.conversation.last_message_at.timestamp()


def _out(one: Weighed) -> float:
    out = one.conversation.last_out_at
    return out.timestamp() if out is not None else 0.0


def _said_at(one: Weighed) -> float:
    return float(one.memory.said_at)


def _opened(one: Weighed) -> float:
    return one.conversation.opened_at.timestamp()


def _ranks(weighed: Sequence[Weighed], key: object) -> list[int]:
    """The rank of each, the latest first."""
    values = [key(one) for one in weighed]  # type: ignore[operator]
    return [sum(other > value for other in values) for value in values]

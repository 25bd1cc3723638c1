"""How often does the router put a message into the right conversation, on sequences whose truth is known?

In: a file of message sequences with the expected class and conversation (README describes the format). Out: figures
by class and by family of traps, the wrong ones in readable lines, and predictions, one JSON object a message. Each
sequence is decided in a world of its own, without any database.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from router import private
from router.conversation.acts import reply_given, status_set
from router.decision.decide import Placing, decide_prepared, prepare
from router.known import Known
from router.match.join import place
from router.model import Redelivery, Status
from router.policy.values import Policy
from workers.lab.evaluate.sequences import message_of, place_of, sequences

__all__ = ["Prediction", "act", "evaluate_followups", "predict", "score"]


@dataclass(frozen=True)
class Prediction:
    """What the router said of one item: its class (`redelivery` is one here), its conversation, and how often that was
    chased by then."""

    id: str
    item: int
    class_: str
    conversation: str
    chases: int = 0


def evaluate_followups(path: Path, predictions: Path | None = None, policy: Policy | None = None) -> dict[str, Any]:
    """Decide every sequence of a file and say how often it was right.

    Writes predictions as JSON lines where asked. Raises InvalidPayload, naming the line, for what is no sequence.
    """
    policy = policy or Policy.load()
    truth = sequences(path)
    found = [prediction for sequence in truth for prediction in predict(sequence, policy)]
    if predictions is not None:
        rows = ({"id": p.id, "item": p.item, "class": p.class_, "conversation": p.conversation} for p in found)
        private.write(predictions, "".join(json.dumps(row) + "\n" for row in rows))
    return score(truth, found)


def predict(sequence: Mapping[str, Any], policy: Policy, placing: Placing = place) -> Iterator[Prediction]:
    """Decide the items of a sequence one by one; only earlier items are known to each. `placing` says where they go.

    An event names its conversation by `conversation`, the letter of an earlier item (it is the one in which that item
    was placed), or by `of_item`, the place of that item in the list.
    """
    known = Known.empty()
    placed: dict[int | str, int] = {}
    for index, item in enumerate(sequence["items"]):
        if "event" in item:
            act(item, placed[place_of(item)], known, policy)
            continue
        message = message_of(item, index)
        decision = decide_prepared(prepare(message, policy), known, policy, message.sent_at, placing=placing)
        if isinstance(decision, Redelivery):
            number, class_ = decision.conversation, "redelivery"
        else:
            known.absorb(decision.message, decision)
            number, class_ = decision.conversation.number, decision.class_.value if decision.class_ else ""
        chases = getattr(known.conversation(number), "chases", 0)
        placed[index] = number
        placed.setdefault(item.get("expect", {}).get("conversation", ""), number)
        yield Prediction(id=str(sequence["id"]), item=index, class_=class_, conversation=str(number), chases=chases)


def act(event: Mapping[str, Any], number: int, known: Known, policy: Policy) -> None:
    conversation = known.conversation(number)
    assert conversation is not None  # noqa: S101  (it was placed there)
    at = datetime.fromisoformat(event["at"])
    if event["event"] == "status":
        known.put(status_set(conversation, Status(event["to"]), at, policy))
    else:
        known.put(reply_given(conversation, at, event.get("text") or "", policy))


@dataclass
class _Tally:
    """Counts while scoring."""

    right: int = 0
    wrong: int = 0
    missed: int = 0
    leak: int = 0
    absent: int = 0
    messages: int = 0
    continuations: int = 0
    true: Counter[str] = field(default_factory=Counter)
    false: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    families: dict[str, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    mistakes: list[str] = field(default_factory=list)


def score(truth: Sequence[Mapping[str, Any]], found: list[Prediction]) -> dict[str, Any]:
    """The figures of predictions against the truth.

    A prediction opens a conversation when its number is new in the sequence; that number then stands for the letter of
    the message that opened it. Right: opened where the truth opens, else in the conversation of an accepted letter.
    """
    by_item = {(p.id, p.item): p for p in found}
    tally = _Tally()
    for sequence in truth:
        _score_sequence(sequence, by_item, tally)
    classes = sorted(set(tally.true) | set(tally.lost))
    f1 = {c: round(_f1(tally, c), 4) for c in classes}
    n = max(1, tally.messages)
    return {
        "messages": tally.messages,
        "absent": tally.absent,
        "conversation": round(tally.right / n, 4),
        "wrong": round(tally.wrong / n, 4),
        "missed": round(tally.missed / max(1, tally.continuations), 4),
        "leak": tally.leak,
        "class_accuracy": round(sum(tally.true.values()) / n, 4),
        "macro_f1": round(sum(f1.values()) / max(1, len(f1)), 4),
        "classes": f1,
        "families": {name: f"{right}/{of}" for name, (right, of) in sorted(tally.families.items())},
        "mistakes": tally.mistakes,
    }


def _f1(tally: _Tally, class_: str) -> float:
    true, false, lost = tally.true[class_], tally.false[class_], tally.lost[class_]
    return 2 * true / (2 * true + false + lost) if true + false + lost else 0.0


def _score_sequence(sequence: Mapping[str, Any], by_item: Mapping[tuple[str, int], Prediction], tally: _Tally) -> None:
    letters: dict[str, str] = {}
    owners: dict[str, set[str]] = {}
    opened: set[str] = set()
    for index, item in enumerate(sequence["items"]):
        if "expect" not in item:
            continue
        want = item["expect"]
        tally.messages += 1
        got = by_item.get((str(sequence["id"]), index))
        if got is None:
            tally.absent += 1
            tally.lost[want["class"]] += 1
            continue
        accept = {want["conversation"], *want.get("accept", [])}
        opens = not accept & opened
        right = _place(got, want, accept, opens, _who(item), letters, owners, opened, tally)
        tally.continuations += not opens
        opened.add(want["conversation"])
        tally.right += right
        family = tally.families[sequence.get("family", "")]
        family[0] += right
        family[1] += 1
        named = got.class_ in {want["class"], *want.get("accept_class", [])}
        tally.true[want["class"]] += named
        if not named:
            tally.false[got.class_] += 1
            tally.lost[want["class"]] += 1
        if not (right and named):
            words = " ".join(str(item.get("text") or "").split())[:60]
            tally.mistakes.append(
                f"{sequence['id']} item {index} ({sequence.get('family', '')}): wanted {want['class']} in "
                f"{'/'.join(sorted(accept))}, got {got.class_} in {letters[got.conversation]}: {words}"
            )


def _place(
    got: Prediction, want: Mapping[str, Any], accept: set[str], opens: bool, who: str, letters: dict[str, str],
    owners: dict[str, set[str]], opened: set[str], tally: _Tally,
) -> bool:  # fmt: skip
    """Was this message put where it belongs? Counts wrong merges, missed ones and leaks."""
    if got.conversation not in letters:
        letters[got.conversation] = want["conversation"]
        owners[got.conversation] = {who}
        right = opens or want["conversation"] not in opened
        tally.missed += not right
        return right
    right = not opens and letters[got.conversation] in accept
    if right:
        owners[got.conversation].add(who)
    else:
        tally.wrong += 1
        tally.leak += who not in owners[got.conversation] and want["class"] in ("first", "cross_customer")
    return right


def _who(item: Mapping[str, Any]) -> str:
    verified = item["sender"].get("verified") or {}
    named = verified.get("account") or verified.get("email") or verified.get("phone")
    return str(named or f"{item.get('channel') or 'chat'} {item['sender']['handle']}")

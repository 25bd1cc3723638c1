"""From what is placement learned?

In: tests/data/dialogues/ (a file an author), the tidy sequences of tests/data/followups*.jsonl and the shipped
examples of first messages. Out: `Part`, a set of sequences with who wrote them, how much they count, and the tagger
by which they are read: one that has never seen the author's messages, so that what is learned of types holds for
strangers.

Beside what the authors wrote stand sequences made of it: a dialogue broken off, then a first message of the same
author about another matter; a first message in two pieces; and all dialogues once more without any issue type, as a
desk with other matters would see them.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from router.policy.values import Policy, TaggingPolicy
from router.tagging.classifier import Model
from router.text.meaning.fold import language
from workers.lab.evaluate.sequences import sequences
from workers.lab.examples import Example, arrays_without, example_messages

__all__ = ["DATA", "Part", "desk_part", "digest", "files", "parts", "policy_without"]

DATA: Final = Path(__file__).parents[3] / "tests" / "data"
_SEED: Final = 20260301
#: How much a message counts: of a dialogue, of a tidy sequence, of what is made of them.
_DIALOGUE, _TIDY, _KINDS, _MADE, _UNTYPED = 3.0, 1.0, 6.0, 1.0, 0.7
#: Minutes after which another matter comes, and a further piece.
_PAUSES: Final = (0.4, 1, 3, 8, 20, 70, 300, 1500)
_MOMENTS: Final = (0.1, 0.3, 0.8, 1.5, 4)
_ANSWERS: Final = (0.8, 2, 5, 20)
_PIECES: Final = 160
#: A piece is at least so long.
_SHORTEST: Final = 3
_SIDES: Final = frozenset(("other", "complaint", "feedback"))


class Part(NamedTuple):
    """Sequences of one author, or tidy ones (no author)."""

    author: str
    sequences: Sequence[Mapping[str, Any]]
    weight: float
    policy: Policy


def files() -> list[Path]:
    """What the shipped model is made of, beside the examples."""
    return [*sorted((DATA / "dialogues").glob("*.jsonl")), *sorted(DATA.glob("followups*.jsonl"))]


def digest() -> str:
    """The digest of all that the shipped model is made of."""
    found = hashlib.sha256()
    for path in files():
        found.update(path.read_bytes())
    for example in example_messages():
        found.update(repr(example).encode())
    return found.hexdigest()[:16]


def policy_without(author: str, policy: Policy) -> Policy:
    """The policy with a tagger whose examples hold nothing of this author."""
    taught = replace(policy)
    taught.__dict__["tagger"] = policy.tagger.taught_by(Model(arrays_without(author)))
    return taught


def parts(paths: Sequence[Path] | None = None) -> Iterator[Part]:
    """All parts; of the shipped files, or of these dialogues, an author a file."""
    policy = Policy.load(None)
    untyped = replace(policy, tagging=TaggingPolicy(issue_types=("other",)))
    examples = example_messages()
    for path in files() if paths is None else paths:
        told = sequences(path)
        if paths is None and path.parent == DATA:
            yield Part("", told, _KINDS if path.stem.startswith("followups_kinds") else _TIDY, policy)
            continue
        author, mine = path.stem, [e for e in examples if e.author == path.stem]
        strange = policy_without(author, policy) if mine else policy
        yield Part(author, told, _DIALOGUE, strange)
        yield Part(author, told, _UNTYPED, untyped)
        yield Part(author, [*_broken_off(told, mine), *_in_pieces(told, mine)], _MADE, strange)


def desk_part(paths: Sequence[Path]) -> Part:
    """The sequences of a desk's own files, as those of one author. Raises InvalidPayload."""
    return Part("desk", [one for path in paths for one in sequences(path)], _DIALOGUE, Policy.load(None))


def _broken_off(told: Sequence[Mapping[str, Any]], examples: Sequence[Example]) -> Iterator[dict[str, Any]]:
    """Each dialogue up to somewhere, then another matter of its first person."""
    chance = random.Random(_SEED)  # noqa: S311  (the same on every run)
    for sequence in told:
        items = sequence["items"]
        first = items[0]
        spoken = language(first["text"])[:2]
        types = {item["expect"].get("issue_type", "") for item in items if "expect" in item}
        others = [e for e in examples if e.label not in types | _SIDES and language(e.text)[:2] == spoken]
        if "issue_type" not in first.get("expect", {}) or not others or first["channel"] in ("email", "phone"):
            continue
        answered = next((n for n, item in enumerate(items, 1) if "event" in item), 1)
        for end in (answered, answered, chance.randrange(1, len(items) + 1), chance.randrange(1, len(items) + 1)):
            kept = items[:end]
            at = datetime.fromisoformat(kept[-1].get("sent_at") or kept[-1]["at"])
            told_last = "event" in kept[-1]
            pause = chance.choice(_PAUSES if told_last else _PAUSES[4:])
            second = {**first, "id": "second", "text": chance.choice(others).text,
                      "sent_at": (at + timedelta(minutes=pause)).isoformat(),
                      "expect": {"class": "new_issue", "conversation": "Z"}}  # fmt: skip
            yield {"id": f"{sequence['id']}-second", "items": [*kept, second]}


def _in_pieces(told: Sequence[Mapping[str, Any]], examples: Sequence[Example]) -> Iterator[dict[str, Any]]:
    """First messages, typed in two; with a word of the desk between them, or none."""
    chance = random.Random(_SEED)  # noqa: S311  (the same on every run)
    said = [item["text"] for sequence in told for item in sequence["items"] if item.get("event") == "reply"]
    begin = datetime.fromisoformat("2026-03-02T10:00:00+08:00")
    for number, example in enumerate(chance.sample(list(examples), min(_PIECES, len(examples)))):
        texts = _halves(example.text)
        if min(map(len, texts)) < _SHORTEST:
            continue
        spoken = [text for text in said if language(text)[:2] == language(example.text)[:2]]
        answer = number % 2 == 1 and bool(spoken)
        pause = timedelta(minutes=chance.choice(_ANSWERS if answer else _MOMENTS))
        items: list[dict[str, Any]] = [
            {"id": str(n), "sent_at": (begin + n * pause).isoformat(), "channel": "chat", "sender": {"handle": "u1"},
             "text": text, "expect": {"class": ("first", "addition")[n], "conversation": "A"}}
            for n, text in enumerate(texts)
        ]  # fmt: skip
        if answer:
            reply = {"event": "reply", "at": (begin + pause / 3).isoformat(), "conversation": "A"}
            items.insert(1, {**reply, "text": chance.choice(spoken)})
        yield {"id": f"pieces-{number}", "items": items}


def _halves(text: str) -> tuple[str, str]:
    """A text cut behind the mark nearest its middle."""
    cuts = [n + 1 for n, c in enumerate(text) if c in ",.;，。；！？!? "] or [0]
    cut = min(cuts, key=lambda n: abs(n - len(text) // 2))
    return text[:cut].strip(), text[cut:].strip()

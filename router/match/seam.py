"""Does a message end, or go on with, a secret that its sender began in messages before?

In: the reading of a message, whose it is and the snapshot, which holds what of his last messages may be
pieces. Out: nothing, or `Seam`: the message read again without its piece, and the former ones without theirs, so that
the store keeps no piece in clear. Pure; looks at `FORMER` messages of the last day at most (rules: security, 4a).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from msgspec.structs import replace

from router.known import FORMER, Fragment, Known
from router.match.features import Reading, read
from router.match.fingerprint import forget
from router.match.identity import Identity
from router.model import Conversation, Message, Rewritten, Sender
from router.policy.values import Policy
from router.text.secrets import redact, seams
from router.value import Value

__all__ = ["Seam", "seam"]

#: How far apart pieces of one secret are sent; numbers, which many messages hold, follow each other closely.
_NUMBERS_WITHIN: Final = timedelta(minutes=30)
_WITHIN: Final = timedelta(days=1)


class Seam(Value, frozen=True, kw_only=True):
    """A secret in pieces. `reading` is the message without its own, `former` are the messages that held the others."""

    reading: Reading
    former: tuple[Reading, ...]
    rewritten: tuple[Rewritten, ...]

    def forgotten(self, conversation: Conversation) -> Conversation:
        """The conversation without what it learnt from the pieces that were said in it."""
        matter = conversation.matter
        for words, message in zip(self.former, self.rewritten, strict=True):
            if message.conversation == conversation.number:
                matter = forget(matter, words)
        return replace(conversation, matter=matter)

    def scrubbed(self, known: Known, but: int) -> tuple[Conversation, ...]:
        """The other conversations that held a piece."""
        numbers = dict.fromkeys(message.conversation for message in self.rewritten)
        found = (known.conversation(number) for number in numbers if number != but)
        return tuple(self.forgotten(c) for c in found if c is not None and c.number != but)

    @property
    def trace(self) -> str:
        """It in words."""
        numbers = ", ".join(str(message.message) for message in self.rewritten)
        return f"a secret in pieces: with message {numbers}; each is stored without its piece"


def seam(reading: Reading, identity: Identity, known: Known, policy: Policy) -> Seam | None:
    """The secret that this message ends, if it does."""
    if not reading.pieces:
        return None
    his = {c.number for c in known.conversations_of(identity.contact.number)}
    said = (fragment for held in known.fragments.values() for fragment in held)
    mine = [f for f in said if f.conversation in his or f.sender == identity.handle]
    before = sorted(mine, key=lambda fragment: fragment.number)[-FORMER:]
    for kind, piece in reading.pieces.items():
        within = _NUMBERS_WITHIN if kind == "digits" else _WITHIN
        near = [f for f in before if abs(reading.message.sent_at - f.at) <= within]
        held = [(f, found[kind]) for f in near if kind in (found := seams.pieces(f.own_text))]
        for start in range(len(held) - 1, -1, -1):
            former = held[start:]
            says = [one.says for _, one in former] + [piece.says]
            secret = seams.whole(kind, says, [*(f.own_text for f, _ in former), reading.own_text])
            if secret:
                return _taken_out(secret, reading, piece, former, policy)
    return None


def _taken_out(
    secret: str, reading: Reading, piece: seams.Piece, former: Sequence[tuple[Fragment, seams.Piece]], policy: Policy
) -> Seam:
    last = f"{''.join(one.says for _, one in former)}{piece.says}"[-4:]
    shown = redact.mark(secret, last)
    message = reading.message
    text, own = _without(reading.text, reading.own_text, piece, shown)
    again = read(replace(message, text=text, html=""), policy)
    exposed = reading.exposed or secret in ("seed", "key")
    rewritten, readings = [], []
    for fragment, one in former:
        stood = Message(
            external_id="-", channel=message.channel, channel_kind=message.channel_kind, sent_at=fragment.at,
            sender=Sender(handle=message.sender.handle), text=fragment.own_text,
        )  # fmt: skip
        words = read(stood, policy)
        whole, rest = _without(fragment.text, fragment.own_text, one, shown)
        rewritten.append(
            Rewritten(
                message=fragment.number, conversation=fragment.conversation, text=whole, own_text=rest,
                markers=words.traces,
            )
        )  # fmt: skip
        readings.append(words)
    kept = (text, own) if policy.privacy.redact else (reading.text, reading.own_text)
    return Seam(
        reading=replace(
            again, message=message, text=kept[0], own_text=kept[1], subject=reading.subject, digest=reading.digest,
            exposed=exposed, secrets=(*reading.secrets, secret),
        ),
        former=tuple(readings),
        rewritten=tuple(rewritten) if policy.privacy.redact else (),
    )  # fmt: skip


def _without(text: str, own: str, piece: seams.Piece, shown: str) -> tuple[str, str]:
    """The whole text and the own words without a piece of these."""
    written = own[piece.start : piece.end]
    rest = own[: piece.start] + shown + own[piece.end :]
    return (rest if text == own else text.replace(written, shown)), rest

"""Which of our replies came back, and did it fail for good? A genuine bounce and what is known of our replies in.

Its proof is our signed id, whoever sent it. Only a final failure of the main recipient counts; a delay, or the failure
of somebody who got a copy, is told and changes nothing (rules: deadlines, 19; follow-ups, 7f). Pure.
"""

from __future__ import annotations

from router.bounce import Bounce, Failure, KnownReply, Outcome
from router.known import Known
from router.match.reply_address import Claim
from router.model import Message
from router.reply_states import follows

__all__ = ["outcome_of", "reply_named"]


def reply_named(message: Message, claim: Claim | None, known: Known) -> KnownReply | None:
    """The reply that a bounce with a genuine id is about: the one it names, else the last one that went to him."""
    if message.bounce is None or claim is None:
        return None
    ours = [r for r in known.replies.values() if claim.made_for(("email", r.handle))]
    for proof in message.bounce.proofs:
        named = [r for r in ours if r.external_id.lower().startswith(f"{proof}@")]
        if named:
            return named[0]
    there = [r for r in ours if r.conversation == claim.conversation and not r.automatic]
    return max(there, key=lambda r: (r.written_at, r.number), default=None)


def outcome_of(bounce: Bounce, reply: KnownReply) -> Outcome | None:
    """What the bounce makes of the reply; None when there is nothing new in it."""
    failure = _of_main(bounce, reply)
    if failure is None:
        return _told(reply, "reply.copy_bounced", bounce.failures[0])
    if not failure.final:
        return _told(reply, "reply.delayed", failure)
    if not follows(reply.state, "bounced"):
        return None
    return Outcome(
        reply=reply.number, event="reply.bounced", state="bounced", was=reply.state, attempts=reply.attempts,
        channel=reply.channel, status=failure.status, detail=_detail(failure),
    )  # fmt: skip


def _told(reply: KnownReply, event: str, failure: Failure) -> Outcome:
    return Outcome(
        reply=reply.number, event=event, channel=reply.channel, status=failure.status, detail=_detail(failure)
    )


def _of_main(bounce: Bounce, reply: KnownReply) -> Failure | None:
    """What is said of the reply's recipient. A report may name the address to which his mail is forwarded, or none:
    then it is about him, unless it names those who got copies and nobody else."""
    if not bounce.failures:
        return Failure()
    to, copies = reply.handle.lower(), {copy.lower() for copy in reply.copies}
    his = [f for f in bounce.failures if f.recipient == to]
    his = his or [f for f in bounce.failures if f.recipient not in copies]
    return next((f for f in his if f.final), his[0] if his else None)


def _detail(failure: Failure) -> str:
    return " ".join(word for word in (failure.status, failure.words) if word)

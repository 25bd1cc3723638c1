"""Which conversation does a message go on with, and as what: resend, chaser, addition, a new issue?

In: the reading of a message, its sender, what its headers are worth, and the snapshot. Out: `Verdict`: the conversation
it joins (None: a new one), its class, the candidates with scores and reasons in words, links. A shared number joins at
any age, whatever else; below the policy's margin a new conversation opens, with a suggested link; who named a
conversation without a right to it gets one of his own (rules: follow-ups, 4 to 11; security, 0.5).
"""

from __future__ import annotations

from router.known import Known
from router.match.burst import going_on, marks_another, waited
from router.match.claims import Evidence
from router.match.classify import class_of, repeats
from router.match.features import Reading
from router.match.fingerprint import Memory
from router.match.identity import Identity, reply_handle
from router.match.score import Weighed, is_live, weigh
from router.model import Candidate, Conversation, Link, MessageClass, Status
from router.policy.values import FollowUps
from router.value import Value

__all__ = ["PIECES", "Verdict", "place"]

#: Methods of what is a piece of a message that came before: it asks for nothing of its own.
PIECES = ("edit", "album")

#: A conversation weighed this far below the margin is worth suggesting.
_WORTH_A_LOOK = 0.2
_SHOWN = 5
#: By so much more another conversation must speak for itself than the one that the piece before went to.
_RATHER = 0.3


class Verdict(Value, frozen=True, kw_only=True):
    """Where a message goes and why. `conversation` None opens one. `rejected`: the message named one that its sender
    takes no part in."""

    conversation: Conversation | None
    class_: MessageClass
    method: str
    score: float = 0.0
    candidates: tuple[Candidate, ...] = ()
    links: tuple[Link, ...] = ()
    reasons: tuple[str, ...] = ()
    rejected: bool = False


def place(reading: Reading, identity: Identity, evidence: Evidence, known: Known, policy: FollowUps) -> Verdict:
    """Choose the conversation and the class of a customer's message. Pure and total."""
    if evidence.method == "edit" and evidence.joins is not None:
        return Verdict(
            conversation=evidence.joins, class_=MessageClass.ADDITION, method="edit", score=1.0,
            reasons=("it corrects a message of that conversation",),
        )  # fmt: skip
    album = None if reading.failed else _album(reading, identity, known)
    if album is not None:
        return Verdict(
            conversation=album, class_=MessageClass.ADDITION, method="album", score=1.0,
            reasons=("it is a picture of the same album as one before",),
        )  # fmt: skip
    weighed = weigh(reading, _own(reading, identity, evidence, known, policy), evidence.joins)
    if evidence.rejected is not None or reading.failed:
        return _apart(reading, evidence, weighed, known, policy)
    piece = _piece(reading, weighed, policy)
    best = piece or _chosen(reading, weighed, policy)
    if best is not None:
        method = "burst" if best is piece else _method(best, evidence)
        return _joins(reading, best, method, weighed, policy)
    return _new(reading, evidence, weighed, policy)


def _album(reading: Reading, identity: Identity, known: Known) -> Conversation | None:
    """The conversation that has another picture of this sender's album."""
    for marker in (marker for key in reading.album for marker in known.marked(key)):
        if known.owner(marker.contact) == identity.contact.number:
            return known.conversation(marker.conversation)
    return None


def _own(reading: Reading, identity: Identity, evidence: Evidence, known: Known, policy: FollowUps) -> list[Weighed]:
    """The conversations to weigh: the sender's, and one that he answers by right."""
    found: dict[int, Conversation] = {}
    for contact in (identity.contact.number, *identity.joined):
        for conversation in known.recent_of(contact):
            found[conversation.number] = conversation
    found = {number: c for number, c in found.items() if not _of_another(reading, c)}
    if evidence.joins is not None:
        found.setdefault(evidence.joins.number, evidence.joins)
    at, window = reading.message.sent_at, policy.reopen_within
    named = evidence.joins.number if evidence.joins is not None else 0
    heard = (c for c in found.values() if "spam" not in c.flags and (_worded(c) or c.number == named))
    return [Weighed(c, is_live(c, at, window)) for c in heard]


def _worded(conversation: Conversation) -> bool:
    """Did anybody say a word in it? What only a machine told (somebody follows, came by a link) opens nothing that his
    words go on with."""
    return conversation.last_in_at is not None or conversation.last_out_at is not None


def _of_another(reading: Reading, conversation: Conversation) -> bool:
    """Is this the mail of somebody else than what was passed on in that conversation? That one person passes on both
    makes them no matter of one; an equal number does, unless he does it for the desk (rules: follow-ups, 7e)."""
    original, for_the_desk = reading.message.original, reading.message.via
    if not original:
        return False
    memory = Memory(conversation.matter)
    if for_the_desk:
        return original not in memory.originals
    passed_on = memory.originals and original not in memory.originals
    return bool(passed_on) and set(reading.strong).isdisjoint(memory.ids)


def _piece(reading: Reading, weighed: list[Weighed], policy: FollowUps) -> Weighed | None:
    """The conversation of which this is a further piece. What it answers by right and numbers decide before that, and
    words that surely are about another matter that is open."""
    piece = going_on(reading, weighed)
    if piece is None or reading.only_thanks or reading.silent:
        return None
    if marks_another(reading, piece):
        piece.conflict = True
        piece.add(-0.7, "the words begin another matter")
        return None
    others = [w for w in weighed if w is not piece and w.live and not w.conflict]
    if any(w.same_id or w.answered or w.score >= max(policy.suggest_below, piece.score + _RATHER) for w in others):
        return None
    piece.add(0.5, "typed on moments after the piece before")
    return piece


def _chosen(reading: Reading, weighed: list[Weighed], policy: FollowUps) -> Weighed | None:
    """The conversation to join: a shared number whatever its age, else the one that it answers, else the best
    above the margin."""
    numbered = [w for w in weighed if w.same_id]
    if numbered:
        return max(numbered, key=lambda w: (w.conversation.status is not Status.CLOSED, w.score))
    if reading.thanks or reading.silent:
        return next((w for w in weighed if w.live), weighed[0] if weighed else None)
    fitting = [w for w in weighed if w.live and not w.conflict]
    best = next((w for w in fitting if w.answered), fitting[0] if fitting else None)
    return best if best is not None and (best.answered or best.score >= policy.suggest_below) else None


def _joins(
    reading: Reading, best: Weighed, method: str, weighed: list[Weighed], policy: FollowUps, *,
    links: tuple[Link, ...] = (), rejected: bool = False,
) -> Verdict:  # fmt: skip
    candidates = {id(w): w.candidate() for w in (best, *weighed[:_SHOWN])}
    chosen = candidates[id(best)]
    return Verdict(
        conversation=best.conversation, class_=_class(reading, best, method, policy), method=method, score=chosen.score,
        candidates=tuple(candidates[id(w)] for w in weighed[:_SHOWN]), links=links, reasons=chosen.reasons,
        rejected=rejected,
    )  # fmt: skip


def _class(reading: Reading, best: Weighed, method: str, policy: FollowUps) -> MessageClass:
    """What it is to the conversation. Who has not waited yet chases nobody; a piece is an addition unless it says the
    very same again."""
    found = class_of(reading, best)
    if best.memory.wordless and not reading.wordless and found is not MessageClass.ACK:
        return MessageClass.FIRST
    if method == "burst" and found is MessageClass.ACK:
        return MessageClass.ADDITION
    if found is MessageClass.ACK or waited(best.conversation, reading.message, policy.chase_after):
        return found
    again = found is MessageClass.RESEND and (method != "burst" or repeats(reading, best))
    return found if again or found is MessageClass.CROSS_CHANNEL else MessageClass.ADDITION


def _method(best: Weighed, evidence: Evidence) -> str:
    if evidence.joins is not None and evidence.joins.number == best.conversation.number:
        return evidence.method
    return "identifier" if best.same_id else "same_words" if best.same_text else "matter"


def _apart(reading: Reading, evidence: Evidence, weighed: list[Weighed], known: Known, policy: FollowUps) -> Verdict:
    """A conversation of its own, linked to the one that it named without a right to; or an earlier one of the sender's
    own that it clearly goes on with."""
    links, reasons = [], []
    if evidence.rejected is not None:
        links.append(Link(conversation=evidence.rejected.number, reason="thread_claim_rejected"))
        reasons.append("it names a conversation that its sender takes no part in")
        best = next((w for w in weighed if w.live and not w.conflict and w.score >= policy.suggest_below), None)
        if best is not None and best.conversation.number != evidence.rejected.number and not reading.failed:
            return _joins(reading, best, "matter", weighed, policy, links=tuple(links), rejected=True)
    suggested = evidence.suggested or (_claimed(reading, known, policy) if reading.failed else None)
    if suggested is not None:
        links.append(Link(conversation=suggested.number, reason="suggested_link", score=0.5))
    if reading.failed:
        reasons.append("its sender failed authentication, so it joins nothing")
    return Verdict(
        conversation=None, class_=MessageClass.FIRST, method="apart", links=tuple(links), reasons=tuple(reasons),
        candidates=tuple(w.candidate() for w in weighed[:_SHOWN]), rejected=evidence.rejected is not None,
    )  # fmt: skip


def _claimed(reading: Reading, known: Known, policy: FollowUps) -> Conversation | None:
    """The latest conversation of the contact whose address a mail bears that failed authentication."""
    contact = known.contact_of(reply_handle(reading.message))
    held = known.conversations_of(contact.number) if contact is not None else []
    live = [c for c in held if is_live(c, reading.message.sent_at, policy.reopen_within)]
    return max(live, key=lambda c: c.last_message_at, default=None)


def _new(reading: Reading, evidence: Evidence, weighed: list[Weighed], policy: FollowUps) -> Verdict:
    """A new conversation: the sender's first, or a new issue beside what is known of him."""
    links: list[Link] = []
    if evidence.joins is not None:
        links.append(Link(conversation=evidence.joins.number, reason="new_issue"))
    candidates = tuple(w.candidate() for w in weighed[:_SHOWN])
    if weighed and all(link.conversation != candidates[0].conversation for link in links):
        links.append(_beside(weighed[0], candidates[0], policy))
    first = not weighed or (reading.poor and not any(w.live for w in weighed))
    reason = "no conversation of this sender is about this" if weighed else "nothing is known of this sender"
    return Verdict(
        conversation=None, class_=MessageClass.FIRST if first else MessageClass.NEW_ISSUE, method="new",
        candidates=candidates, links=tuple(links), reasons=(reason,),
    )  # fmt: skip


def _beside(other: Weighed, candidate: Candidate, policy: FollowUps) -> Link:
    """How the new conversation stands to the best one that it did not join."""
    reason = "new_issue"
    if not other.live:
        reason = "reopened_late"
    elif not other.conflict and candidate.score >= policy.suggest_below - _WORTH_A_LOOK:
        reason = "suggested_link"
    return Link(conversation=candidate.conversation, reason=reason, score=candidate.score)

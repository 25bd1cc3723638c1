"""Which conversation does a message go on with, and as what: resend, chaser, addition, a new issue?

In: the reading of a message, its sender, what its headers are worth, and the snapshot. Out: `Verdict`: the conversation
it joins (None: a new one), its class, the candidates with scores and reasons in words, links. A shared number joins at
any age, whatever else; below the policy's margin a new conversation opens, with a suggested link; who named a
conversation without a right to it gets one of his own (rules: follow-ups, 4 to 11; security, 0.5).
"""

from __future__ import annotations

from datetime import timedelta

from router.known import Known
from router.match.burst import going_on, marks_another
from router.match.claims import Evidence
from router.match.classify import class_of
from router.match.features import Reading
from router.match.fingerprint import Memory
from router.match.identity import Identity, reply_handle
from router.match.judged import Judged
from router.match.learned import Learned, learned
from router.match.score import Weighed, is_live, weigh
from router.match.weights import WEIGHTS
from router.model import Candidate, Conversation, Link, MessageClass, Status
from router.policy.values import FollowUps
from router.text.meaning.utterance import Word
from router.value import Value

__all__ = ["ALSO_OPEN", "PIECES", "Verdict", "place", "weighed_of"]

#: Methods of what is a piece of a message that came before: it asks for nothing of its own.
PIECES = ("edit", "album")

#: Why a conversation is named that had words lately, though the message likely has nothing to do with it.
ALSO_OPEN = "also_open"
_LATELY = timedelta(hours=24)
#: Fewer words about something are no sentence that is said again.
_A_SENTENCE = 3


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


def place(
    reading: Reading, identity: Identity, evidence: Evidence, known: Known, policy: FollowUps, *,
    model: Learned | None = None,
) -> Verdict:  # fmt: skip
    """Choose the conversation and the class of a customer's message. Pure and total. `model` is the policy's own unless
    it is given."""
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
    model = model or learned(policy.model)
    weighed = weighed_of(reading, identity, evidence, known, policy)
    judged = Judged.of(reading, weighed, model, policy)
    if evidence.rejected is not None or reading.failed:
        return _apart(reading, evidence, judged, known, policy)
    piece = _piece(reading, judged)
    best = piece or _chosen(reading, judged)
    if best is not None:
        method = "burst" if best is piece else _method(best, evidence)
        return _joins(reading, best, method, judged, policy)
    return _new(reading, evidence, judged)


def weighed_of(
    reading: Reading, identity: Identity, evidence: Evidence, known: Known, policy: FollowUps
) -> list[Weighed]:
    """The conversations that this message may go on with, compared with it, the one with the latest words first."""
    return weigh(reading, _own(reading, identity, evidence, known, policy), evidence.joins)


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


def _piece(reading: Reading, judged: Judged) -> Weighed | None:
    """The conversation of which this is a further piece. What it answers by right and numbers decide before that, and
    words that surely are about another matter that is open."""
    piece = going_on(reading, judged.weighed)
    if piece is None or reading.only_thanks or reading.silent:
        return None
    if marks_another(reading, piece):
        piece.rule("the words begin another matter")
        return None
    others = [w for w in judged.fitting if w is not piece]
    if any(w.same_id or w.answered or (w.chance >= judged.join_at and w.chance > piece.chance) for w in others):
        return None
    if piece.forbidden or piece.chance < judged.veto_below:
        return None
    piece.rules.append("typed on moments after the piece before")
    return piece


def _chosen(reading: Reading, judged: Judged) -> Weighed | None:
    """The conversation to join: a shared number whatever its age, else the one that it answers, else the likeliest
    from `join_at` on."""
    weighed = judged.weighed
    numbered = [w for w in weighed if w.same_id]
    if numbered:
        return max(numbered, key=lambda w: (w.conversation.status is not Status.CLOSED, w.chance))
    if reading.thanks or reading.silent:
        answered = (w for w in weighed if w.live and w.answered)
        return next(answered, next(iter(judged.fitting), weighed[0] if weighed else None))
    best = next((w for w in judged.fitting if w.answered), None)
    if best is not None:
        return best
    best = next(iter(judged.fitting), None)
    if best is None or best.chance >= judged.join_at:
        return best
    told = next((w for w in judged.fitting if not w.conflict and _same_again(reading, w)), None)
    return told or _open_already(reading, judged)


def _same_again(reading: Reading, one: Weighed) -> bool:
    """Does it quote the error code that was quoted before, or nearly the whole sentence?"""
    nearly = one.overlap >= WEIGHTS.the_same_sentence and len(reading.said.features) >= _A_SENTENCE
    return (one.same_code and one.akin) or (nearly and not reading.said.has(Word.AGAIN))


def _open_already(reading: Reading, judged: Judged) -> Weighed | None:
    """What says next to nothing asks for what is open; after a mere greeting the first words with content are what it
    was about (rules: follow-ups, 7)."""
    running = [w for w in judged.fitting if w.conversation.status not in (Status.SOLVED, Status.CLOSED)]
    if reading.poor and not reading.wordless:
        return next(iter(running), None)
    latest = max(running, key=lambda w: w.conversation.last_message_at, default=None)
    return latest if latest is not None and latest.memory.poor else None


def _joins(
    reading: Reading, best: Weighed, method: str, judged: Judged, policy: FollowUps, *, links: tuple[Link, ...] = (),
    rejected: bool = False,
) -> Verdict:  # fmt: skip
    shown = judged.shown(best)
    chosen = next(candidate for candidate in shown if candidate.conversation == best.conversation.number)
    return Verdict(
        conversation=best.conversation, class_=class_of(reading, best, method, judged, policy), method=method,
        score=chosen.score, candidates=shown, links=links, reasons=chosen.reasons, rejected=rejected,
    )  # fmt: skip


def _method(best: Weighed, evidence: Evidence) -> str:
    if evidence.joins is not None and evidence.joins.number == best.conversation.number:
        return evidence.method
    return "identifier" if best.same_id else "same_words" if best.same_text else "matter"


def _apart(reading: Reading, evidence: Evidence, judged: Judged, known: Known, policy: FollowUps) -> Verdict:
    """A conversation of its own, linked to the one that it named without a right to; or an earlier one of the sender's
    own that it clearly goes on with."""
    links, reasons = [], []
    if evidence.rejected is not None:
        links.append(Link(conversation=evidence.rejected.number, reason="thread_claim_rejected"))
        reasons.append("it names a conversation that its sender takes no part in")
        best = next((w for w in judged.fitting if w.chance >= judged.join_at), None)
        if best is not None and best.conversation.number != evidence.rejected.number and not reading.failed:
            return _joins(reading, best, "matter", judged, policy, links=tuple(links), rejected=True)
    suggested = evidence.suggested or (_claimed(reading, known, policy) if reading.failed else None)
    if suggested is not None:
        links.append(Link(conversation=suggested.number, reason="suggested_link", score=WEIGHTS.claimed))
    if reading.failed:
        reasons.append("its sender failed authentication, so it joins nothing")
    return Verdict(
        conversation=None, class_=MessageClass.FIRST, method="apart", links=tuple(links), reasons=tuple(reasons),
        candidates=judged.shown(), rejected=evidence.rejected is not None,
    )  # fmt: skip


def _claimed(reading: Reading, known: Known, policy: FollowUps) -> Conversation | None:
    """The latest conversation of the contact whose address a mail bears that failed authentication."""
    contact = known.contact_of(reply_handle(reading.message))
    held = known.conversations_of(contact.number) if contact is not None else []
    live = [c for c in held if is_live(c, reading.message.sent_at, policy.reopen_within)]
    return max(live, key=lambda c: c.last_message_at, default=None)


def _new(reading: Reading, evidence: Evidence, judged: Judged) -> Verdict:
    """A new conversation: the sender's first, or a new issue beside what is known of them."""
    links: list[Link] = []
    if evidence.joins is not None:
        links.append(Link(conversation=evidence.joins.number, reason="new_issue"))
    beside = next(iter(judged.fitting), None) or next(iter(judged.weighed), None)
    if beside is not None and all(link.conversation != beside.conversation.number for link in links):
        links.append(_beside(reading, beside, judged))
    first = beside is None or (reading.poor and not any(w.live for w in judged.weighed))
    reason = "no conversation of this sender is about this" if beside else "nothing is known of this sender"
    return Verdict(
        conversation=None, class_=MessageClass.FIRST if first else MessageClass.NEW_ISSUE, method="new",
        candidates=judged.shown(), links=tuple(links), reasons=(reason,),
    )  # fmt: skip


def _beside(reading: Reading, other: Weighed, judged: Judged) -> Link:
    """How the new conversation stands to the best one that it did not join. One that lives and had words within a day
    is always named: where it is unlikely, without telling anybody of it."""
    reason = "new_issue"
    if not other.live:
        reason = "reopened_late"
    elif not other.forbidden and other.chance >= judged.veto_below:
        reason = "suggested_link"
    elif not other.forbidden and reading.message.sent_at - other.conversation.last_message_at <= _LATELY:
        reason = ALSO_OPEN
    return Link(conversation=other.conversation.number, reason=reason, score=round(other.chance, 3))

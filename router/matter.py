"""Which conversation does a message go on with, and as what: resend, chaser, addition, a new issue?

In: the reading of a message, its sender, what its headers are worth, and the snapshot. Out: `Verdict`: the conversation
it joins (None: a new one), its class, the candidates with scores and reasons in words, links. Identifiers decide first,
then amounts, issue type, time, who waits for whom; similar words only find re-sends and break ties. Below the policy's
margin a new conversation opens, with a suggested link (rules: follow-ups, 4 to 11; security, 0.5).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from router.evidence import Evidence
from router.identity import Identity
from router.known import Known
from router.memory import Memory, features_of, side_of
from router.model import Candidate, Conversation, Link, MessageClass, Status, Value
from router.policy import FollowUps
from router.reading import Reading, shared_key
from router.utterance import Word

__all__ = ["Verdict", "place"]

#: Classes of an utterance by its form alone.
_CHASING = Word.CHASE | Word.OUTCOME | Word.NEWS
_STATING = Word.PROBLEM | Word.WISH
#: A type this sure is another matter even where no problem is stated.
_CLEAR = 0.85
#: Flags of a customer who presses, whatever his matter is.
_THREATS = frozenset(("complaint", "legal"))
#: What may still be said of a closed conversation is weighed a little less than of an open one.
_CLOSED = 0.05
#: A scored conversation this far below the margin is worth suggesting.
_WORTH_A_LOOK = 0.2


class Verdict(Value, frozen=True, kw_only=True):
    """Where a message goes and why. `conversation` None opens one; `shared` says that it is somebody else's, joined
    under rule 9 (unproven)."""

    conversation: Conversation | None
    class_: MessageClass
    method: str
    score: float = 0.0
    candidates: tuple[Candidate, ...] = ()
    links: tuple[Link, ...] = ()
    reasons: tuple[str, ...] = ()
    shared: bool = False
    rejected: bool = False
    related: bool = False


class _Weighed:
    """A candidate while it is weighed."""

    __slots__ = ("conflict", "conversation", "live", "memory", "overlap", "reasons", "same_id", "same_text", "same_type", "score")

    def __init__(self, conversation: Conversation, live: bool) -> None:
        self.conversation = conversation
        self.memory = Memory(conversation.matter)
        self.live = live
        self.score = 0.0
        self.reasons: list[str] = []
        self.same_id = self.same_text = self.same_type = self.conflict = False
        self.overlap = 0.0

    def add(self, weight: float, reason: str) -> None:
        self.score += weight
        self.reasons.append(f"{reason} ({weight:+.2f})")

    def candidate(self) -> Candidate:
        score = round(min(1.0, max(0.0, self.score)), 3)
        return Candidate(conversation=self.conversation.number, score=score, reasons=tuple(self.reasons))


def place(reading: Reading, identity: Identity, evidence: Evidence, known: Known, policy: FollowUps) -> Verdict:
    """Choose the conversation and the class of a customer's message. Pure and total."""
    own = _own(reading, identity, known, policy)
    if evidence.method in ("edit", "reply_address") and evidence.joins is not None and evidence.method == "edit":
        return Verdict(
            conversation=evidence.joins, class_=MessageClass.ADDITION, method="edit", score=1.0, related=True,
            reasons=("it corrects a message of that conversation",),
        )  # fmt: skip
    weighed = _weigh_all(reading, evidence, own, policy)
    candidates = tuple(w.candidate() for w in weighed[:5])
    if evidence.rejected is not None or reading.failed:
        return _apart(reading, evidence, weighed, candidates)
    best = _chosen(reading, weighed, policy)
    if best is not None:
        class_ = _class(reading, best)
        return Verdict(
            conversation=best.conversation, class_=class_, method=_method(best, evidence), score=candidates_score(best),
            candidates=candidates, reasons=tuple(best.reasons), related=True,
        )  # fmt: skip
    stranger = _unproven(reading, identity, known, policy)
    if stranger is not None:
        shared = _Weighed(stranger, True)
        shared.add(1.0, "the same number, and nothing is proved of either sender")
        shared.same_id = True
        _compare(shared, reading, features_of(reading), set(reading.strong))
        return Verdict(
            conversation=stranger, class_=_class(reading, shared), method="identifier", score=1.0,
            candidates=(shared.candidate(), *candidates), reasons=tuple(shared.reasons), shared=True, related=True,
        )  # fmt: skip
    return _new(reading, evidence, weighed, candidates, policy)


def candidates_score(weighed: _Weighed) -> float:
    return weighed.candidate().score


def _own(reading: Reading, identity: Identity, known: Known, policy: FollowUps) -> list[_Weighed]:
    """The sender's conversations, most recently active first; `live` are those that an ordinary message may join."""
    found: dict[int, Conversation] = {}
    for contact in (identity.contact.number, *identity.joined):
        for conversation in known.conversations_of(contact):
            found[conversation.number] = conversation
    for marker in known.marked(shared_key(identity.handle)):
        shared = known.conversation(marker.conversation)
        if shared is not None:
            found[shared.number] = shared
    at = reading.message.sent_at
    mine = [_Weighed(c, _live(c, at, policy.reopen_within)) for c in found.values() if "spam" not in c.flags]
    mine.sort(key=lambda w: (w.conversation.last_message_at, w.conversation.number), reverse=True)
    return mine


def _live(conversation: Conversation, at: datetime, window: timedelta) -> bool:
    """Is it open, or ended so lately that it may be reopened?"""
    if conversation.status not in (Status.SOLVED, Status.CLOSED):
        return True
    ended = conversation.closed_at or conversation.solved_at or conversation.last_message_at
    return at - ended <= window


def _weigh_all(
    reading: Reading, evidence: Evidence, own: list[_Weighed], policy: FollowUps
) -> list[_Weighed]:
    features, ids = features_of(reading), set(reading.strong)
    header = evidence.joins
    if header is not None and all(w.conversation.number != header.number for w in own):
        own = [*own, _Weighed(header, _live(header, reading.message.sent_at, policy.reopen_within))]
    for weighed in own:
        _compare(weighed, reading, features, ids)
        if header is not None and weighed.conversation.number == header.number:
            weighed.add(0.6, "it answers a message of this conversation")
    _favour_the_latest(reading, own)
    return sorted(own, key=lambda w: -w.score)


def _compare(weighed: _Weighed, reading: Reading, features: frozenset[int], ids: set[str]) -> None:
    """What the message shares with a conversation, and what speaks against it."""
    memory, conversation = weighed.memory, weighed.conversation
    _compare_identifiers(weighed, ids)
    if reading.text_hash and not reading.poor and reading.text_hash in memory.texts:
        weighed.same_text = True
        weighed.add(0.6, "the same words were written before")
    if len(features) >= 2 and memory.words:
        weighed.overlap = len(features & memory.words) / len(features)
        if weighed.overlap >= 0.3 and not weighed.same_text:
            weighed.add(round(0.4 * weighed.overlap, 2), "shares words")
    _compare_type(weighed, reading)
    _compare_amounts(weighed, reading)
    if set(reading.cards) & set(memory.cards):
        weighed.add(0.2, "the same card")
    if set(reading.said.entities) & set(memory.names):
        weighed.add(0.1, "the same bank or network")
    if memory.poor and weighed.live and conversation.status is not Status.CLOSED:
        weighed.add(0.6, "so far it only greeted")
    if reading.said.has(Word.AGAIN) and not weighed.same_id and not reading.poor:
        weighed.add(-0.7, "the words say that this is another one")


def _compare_identifiers(weighed: _Weighed, ids: set[str]) -> None:
    held = set(weighed.memory.ids)
    shared = ids & held
    decisive = {key for key in shared if not key.startswith("account:")}
    if decisive:
        weighed.same_id = True
        weighed.add(1.0, f"the same {_kind(min(decisive))}")
    elif shared:
        weighed.add(0.25, "the same account")
    for kind in ("order:", "hash:"):
        mine, theirs = {i for i in ids if i.startswith(kind)}, {i for i in held if i.startswith(kind)}
        if mine and theirs and not mine & theirs:
            weighed.conflict = True
            weighed.add(-1.0, f"another {_kind(kind)}")


def _kind(key: str) -> str:
    return {"order": "order number", "hash": "transaction hash"}.get(key.partition(":")[0], "number")


def _compare_type(weighed: _Weighed, reading: Reading) -> None:
    tagging, conversation = reading.tagging, weighed.conversation
    theirs = set(weighed.memory.types) or {conversation.issue_type}
    if reading.poor or not reading.topical:
        near = {tagging.issue_type, tagging.runner_up} & theirs - {"", "other"}
        if near and not reading.poor:
            weighed.add(0.15, "perhaps the same issue type")
        return
    if tagging.issue_type in theirs:
        weighed.same_type = True
        weighed.add(0.5, "the same issue type")
    elif not theirs - {"", "other"}:
        return
    elif tagging.runner_up in theirs:
        weighed.add(-0.1, "perhaps another issue type")
    elif _chases(reading):
        weighed.add(-0.2, "names another issue type")
    elif _states(reading):
        weighed.add(-0.6, "states another issue type")
    elif tagging.confidence >= _CLEAR and reading.said.weight >= 2.0:
        weighed.add(-0.4, "clearly another issue type")
    else:
        weighed.add(-0.15, "another issue type")


def _compare_amounts(weighed: _Weighed, reading: Reading) -> None:
    mine, theirs = set(reading.amounts), set(weighed.memory.amounts)
    if not mine or not theirs:
        return
    if mine & theirs:
        weighed.add(0.25, "the same amount")
    elif weighed.same_type or weighed.overlap >= 0.5:
        weighed.conflict = True
        weighed.add(-0.8, "another amount")
    elif reading.topical:
        weighed.add(-0.15, "another amount")


def _favour_the_latest(reading: Reading, own: Sequence[_Weighed]) -> None:
    """What has no topic of its own goes where the sender was last active: open before ended."""
    at = reading.message.sent_at
    live = [w for w in own if w.live and not w.conflict]
    latest = next((w for w in live if w.conversation.status is not Status.CLOSED), live[0] if live else None)
    for weighed in live:
        conversation = weighed.conversation
        if weighed is latest:
            weighed.add(0.15, "most recently active")
        if conversation.status is Status.CLOSED:
            weighed.add(-_CLOSED, "closed")
        if reading.poor or _chases(reading):
            weighed.add(0.55, "asks for what is open")
        elif reading.said.has(Word.ATTEMPT) and weighed is latest:
            weighed.add(0.5, "tells how a try ended, or adds to what was said")
        elif not _states(reading):
            weighed.add(0.4, "states no problem of its own")
            serves = reading.said.serves
            asked = max((serves.get(kind, 0) for kind in weighed.memory.types or (conversation.issue_type,)), default=0)
            if asked:
                weighed.add(min(0.3, 0.1 + 0.07 * asked), "details that this issue type asks for")
        elif weighed is latest and not reading.topical:
            weighed.add(0.2, "no issue type of its own")
        out, into = conversation.last_out_at, conversation.last_in_at
        if weighed is latest and out is not None and (into is None or out >= into) and at - out <= timedelta(days=7):
            weighed.add(0.15, "the desk spoke last")


def _states(reading: Reading) -> bool:
    """Does it state a problem or a wish, or ask about a topic of its own?"""
    return reading.said.has(_STATING) or (reading.topical and reading.said.asks)


def _chases(reading: Reading) -> bool:
    """Does it ask how far something is, or press, naming it perhaps, without new numbers?"""
    said = reading.said
    if reading.amounts or said.has(Word.ATTEMPT | Word.AGAIN) or said.long:
        return False
    if not _THREATS.isdisjoint(reading.tagging.flags) and not reading.topical and said.weight <= 4.0:
        return True
    if said.numbers or said.weight > 4.0:
        return False
    if said.has(Word.PROBLEM) and said.weight > 1.5 and not said.asks:
        return False
    return said.has(Word.CHASE) or (said.asks and said.has(_CHASING))


def _chosen(reading: Reading, weighed: list[_Weighed], policy: FollowUps) -> _Weighed | None:
    """The conversation to join: a shared number whatever its age, else the best above the margin."""
    numbered = [w for w in weighed if w.same_id]
    if numbered:
        return max(numbered, key=lambda w: (w.conversation.status is not Status.CLOSED, w.score))
    if _thanks(reading):
        return next((w for w in weighed if w.live), weighed[0] if weighed else None)
    best = next((w for w in weighed if w.live and not w.conflict), None)
    return best if best is not None and best.score >= policy.suggest_below else None


def _thanks(reading: Reading) -> bool:
    said = reading.said
    return said.thanks and said.empty and not said.asks and not said.has(Word.CHASE)


def _class(reading: Reading, best: _Weighed) -> MessageClass:
    """What a message is to the conversation that it joins."""
    said, conversation = reading.said, best.conversation
    answered = _spoken_to(conversation)
    if _thanks(reading) or (said.thanks and said.empty and not said.asks and not said.presses and answered):
        return MessageClass.ACK
    if said.has(Word.ATTEMPT) and not best.same_text:
        return MessageClass.ADDITION
    if reading.poor:
        tells = answered and said.kinds and not said.asks and not said.presses and not said.has(Word.GREETING)
        return MessageClass.ADDITION if tells else MessageClass.CHASER
    if best.memory.poor:
        return MessageClass.ADDITION
    if not best.same_text and (_chases(reading) or _only_names(reading, best)):
        return MessageClass.CHASER
    if best.same_text or _restates(reading, best):
        seen = reading.message.channel_kind in best.memory.kinds
        return MessageClass.RESEND if seen else MessageClass.CROSS_CHANNEL
    return MessageClass.ADDITION


def _only_names(reading: Reading, best: _Weighed) -> bool:
    """Does it only name the matter, by its number or as a question, and say nothing new of it?"""
    said = reading.said
    if best.same_id and said.weight <= 1.0 and not said.has(_STATING) and not said.numbers:
        return True
    known = best.same_type or best.overlap >= 0.5
    return said.asks and known and not said.has(_STATING) and not _news(reading, best) and said.weight <= 4.0


def _news(reading: Reading, best: _Weighed) -> bool:
    """Does it hold a number or name that the conversation has not?"""
    memory = best.memory
    numbers = set(reading.said.numbers) - set(memory.numbers) - set(memory.amounts)
    return bool(numbers or set(reading.said.entities) - set(memory.names) or set(reading.strong) - set(memory.ids))


def _spoken_to(conversation: Conversation) -> bool:
    """Did the desk speak last?"""
    out, into = conversation.last_out_at, conversation.last_in_at
    return out is not None and (into is None or out >= into)


def _restates(reading: Reading, best: _Weighed) -> bool:
    """Does it state the matter once more, with nothing new in it?"""
    if _news(reading, best):
        return False
    shared_amount = bool(set(reading.amounts) & set(best.memory.amounts))
    return best.same_type or best.overlap >= 0.6 or shared_amount


def _method(best: _Weighed, evidence: Evidence) -> str:
    if evidence.joins is not None and evidence.joins.number == best.conversation.number:
        return evidence.method
    return "identifier" if best.same_id else "same_words" if best.same_text else "matter"


def _unproven(reading: Reading, identity: Identity, known: Known, policy: FollowUps) -> Conversation | None:
    """Somebody else's conversation about the same number, where nothing is proved of him nor of this sender."""
    if identity.contact.verified or not reading.strong:
        return None
    for key in reading.strong:
        if key.startswith("account:"):
            continue
        for marker in known.marked(key):
            conversation = known.conversation(marker.conversation)
            if conversation is None or not _live(conversation, reading.message.sent_at, policy.reopen_within):
                continue
            owner = known.contacts.get(known.owner(conversation.contact))
            if owner is None or owner.verified or owner.number == identity.contact.number:
                continue
            mine, theirs = side_of(reading), Memory(conversation.matter).side
            if not (mine and theirs and mine != theirs) and not (mine == "payee" and theirs != "payee"):
                return conversation
    return None


def _apart(
    reading: Reading, evidence: Evidence, weighed: list[_Weighed], candidates: tuple[Candidate, ...]
) -> Verdict:
    """A conversation of its own, linked to the one that it named without a right to."""
    links, reasons = [], []
    if evidence.rejected is not None:
        links.append(Link(conversation=evidence.rejected.number, reason="thread_claim_rejected"))
        reasons.append("it names a conversation that its sender takes no part in")
        # He may still go on with a conversation of his own that this very thread opened.
        mine = next((w for w in weighed if w.live and not w.conflict and evidence.rejected.number != w.conversation.number
                     and w.score >= 0.5), None)  # fmt: skip
        if mine is not None and not reading.failed:
            return Verdict(
                conversation=mine.conversation, class_=_class(reading, mine), method="matter", rejected=True,
                score=mine.candidate().score, candidates=candidates, links=tuple(links), reasons=tuple(mine.reasons),
                related=True,
            )  # fmt: skip
    if evidence.suggested is not None:
        links.append(Link(conversation=evidence.suggested.number, reason="suggested_link", score=0.5))
    if reading.failed:
        reasons.append("its sender failed authentication, so it joins nothing")
    return Verdict(
        conversation=None, class_=MessageClass.FIRST, method="apart", candidates=candidates, links=tuple(links),
        reasons=tuple(reasons), rejected=evidence.rejected is not None,
    )  # fmt: skip


def _new(
    reading: Reading, evidence: Evidence, weighed: list[_Weighed], candidates: tuple[Candidate, ...], policy: FollowUps
) -> Verdict:
    """A new conversation: the sender's first, or a new issue beside what is known of him."""
    links: list[Link] = []
    if evidence.joins is not None:
        links.append(Link(conversation=evidence.joins.number, reason="new_issue"))
    for other in weighed[:1]:
        score = other.candidate().score
        if any(link.conversation == other.conversation.number for link in links):
            continue
        if not other.live:
            links.append(Link(conversation=other.conversation.number, reason="reopened_late", score=score))
        elif not other.conflict and policy.suggest_below - _WORTH_A_LOOK <= score:
            links.append(Link(conversation=other.conversation.number, reason="suggested_link", score=score))
        elif other.live:
            links.append(Link(conversation=other.conversation.number, reason="new_issue", score=score))
    first = not weighed or (reading.poor and not any(w.live for w in weighed))
    reason = "nothing is known of this sender" if not weighed else "no conversation of this sender is about this"
    return Verdict(
        conversation=None, class_=MessageClass.FIRST if first else MessageClass.NEW_ISSUE, method="new",
        candidates=candidates, links=tuple(links), reasons=(reason,), related=bool(weighed),
    )  # fmt: skip

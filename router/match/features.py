"""What does a message say, before anything of the past is looked at?

In: a message and the policy. Out: `Reading`: its own words, redacted; identifiers (read before redaction, so that a
number beside a secret is not lost); what kind of utterance it is; tagging; content digest; and the markers by which a
store finds what the decision needs to know. Pure: a store reads once, loads, and hands the reading on to
`decide_prepared`. Nothing here or behind it holds a secret: all memory is made of the redacted words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cached_property

from msgspec.structs import replace
from xxhash import xxh3_64_hexdigest

from router.match import identity
from router.match.authorship import named_people
from router.match.delivered import Delivered, delivered
from router.match.weights import WEIGHTS
from router.model import Authenticity, Direction, Handle, Message, Tagging
from router.policy.values import Policy
from router.text.meaning import identifiers, utterance
from router.text.meaning.customers import customers
from router.text.meaning.fold import fold, language
from router.text.meaning.utterance import Word
from router.text.own_words import cut as own_words
from router.text.secrets import redact, seams
from router.value import Value

__all__ = ["NO_TOPIC", "Reading", "named_key", "read", "tagged", "telling_part"]

#: Types that say how a customer feels, not what his matter is.
NO_TOPIC = frozenset(("other", "complaint", "feedback", ""))
#: Flags of a customer who presses, whatever his matter is.
_THREATS = frozenset(("complaint", "legal"))
_CHASING = Word.CHASE | Word.OUTCOME | Word.NEWS
_STATING = Word.PROBLEM | Word.WISH
#: Fewer words about something are no sentence that could be said once more.
_A_SENTENCE = 3
#: A shorter subject ("hi", "急") is none.
_SUBJECT = 4
#: So many words of a message are sought in those of other people, and so many of them are Chinese phrases.
_MOST_TRACES, _MOST_PHRASES = 6, 3
#: From this confidence on, a report is met by those of its own type alone.
_TOLD = WEIGHTS.told_type
#: Concepts of a breakdown, and of a thing that does not work; how the traces of the two end.
_BREAKDOWN, _FAILS = "outage", frozenset(("app_bug", "cannot_enter", "fail", "declined"))
_ASKING, _FAILING = "@asking", "@failing"
#: Kinds of messages that say nothing that needs an answer.
_SILENT = frozenset(("reaction", "sticker", "deleted"))
#: How an adapter names, among the references, the album that a picture is of.
_ALBUM = "album:"
#: So many of the people whom a mail names are looked up.
_MOST_NAMED = 20
#: Of long own words so many characters are weighed: a matter is named early, and once more at the end.
HEAD, TAIL = 360, 120
#: From so many characters on, a text may begin with its matter and go on with other words.
_OPENING = 60
#: What is shorter is a greeting.
_SENTENCE_BYTES = 16
_SENTENCE = re.compile(r"[.!?。！？]+(?=\s|$)|[。！？\n]+")
_YEAR = re.compile(r"(?:19|20)\d\d")
_LETTERS = re.compile(r"[\W_]+")
#: What chasing puts before or behind a subject.
_CHASED_BEFORE = re.compile(
    r"\s*(?:any (?:news|update|progress|word)s?(?: (?:on|about))?|(?:gentle |friendly |final )?reminder|urgent"
    r"|follow(?:ing)?[- ]?up(?: on)?|(?:second|third|2nd|3rd|final) (?:request|reminder|attempt|time|try|notice)"
    r"|still (?:waiting|open|no (?:answer|reply))|(?:please )?(?:reply|answer|update)|status(?: of)?|again"
    r"|(?:再次)?催办?|再次|第[二三四]次(?:来信|询问|反映)?|跟进|请问|進展|进展|加急|紧急)(?=[\s:：?!？！,，、\-–—】)\]])[\s:：?!？！,，、\-–—】)\]]*"
)
_CHASED_BEHIND = re.compile(
    r"[\s,，、:：\-–—(（\[【]+(?:(?:my |this is my )?(?:second|third|fourth|2nd|3rd|4th|final|another) (?:time|request"
    r"|reminder|attempt|try|mail|email|e-mail|message|letter|notice)|(?:gentle |friendly )?reminder"
    r"|any (?:news|update|progress)|follow(?:ing)?[- ]?up|still (?:waiting|open|no (?:answer|reply))|again"
    r"|update please|please (?:reply|answer)"
    r"|第[二三四]次(?:来信|询问|反映|催)?|再次(?:来信|询问|催促)?|催办?|跟进|有(?:进展|结果)吗|进展如何|进度)"
    r"[\s?!？！.。)）\]】]*\Z"
)
_REPLIES = re.compile(r"^\s*(?:re|aw|sv|回复|答复|回覆|转发|fw|fwd)\s*[::]", re.IGNORECASE)


#: A closing formula on a line of its own, and at most six short lines behind it.
_SIGNED = re.compile(
    r"^[ \t]*(?:(?:kind|best|warm) )?"
    r"(?:regards|wishes|best|sincerely|yours (?:sincerely|truly)|cheers|此致|敬礼|祝好|順頌商祺)"
    r"[,，.。!！]?[ \t]*$(?:\n[^\n]{0,40}){0,6}\Z",
    re.MULTILINE | re.IGNORECASE,
)
#: So many of the last characters may be a signature.
_SIGNATURE = 300

class Reading(Value, dict=True, frozen=True, kw_only=True):
    """A message read. `words` are its folded own words and subject; `text_hash` is empty where nothing is said;
    `customers` are other people whom it names as the customer.

    `message` has the sender whose it is (`authorship`); `people` are whom a mail names beside him and the desk; `agent`
    is the colleague whose own address it comes from. `breakdown`: it asks whether something is down or says that others
    have it too; `fails`: it says that something does not work now; `chat`:
    people write in pieces on its channel (`router.kinds.Traits`).
    """

    message: Message
    text: str
    own_text: str
    subject: str
    digest: str
    secrets: tuple[str, ...]
    exposed: bool
    words: str
    said: utterance.Utterance
    strong: tuple[str, ...]
    cards: tuple[str, ...]
    amounts: tuple[str, ...]
    tagging: Tagging
    failed: bool
    own_subject: bool
    titled: bool = False
    customers: tuple[str, ...] = ()
    handles: tuple[Handle, ...]
    people: tuple[str, ...] = ()
    agent: str = ""
    breakdown: bool = False
    fails: bool = False
    chat: bool = True

    @cached_property
    def text_hash(self) -> str:
        """The hash of letters and digits alone: the same words in other case or with other punctuation are equal."""
        letters = _LETTERS.sub("", self.words)
        return xxh3_64_hexdigest(letters.encode("utf-8", "surrogatepass")) if letters else ""

    @property
    def certainty(self) -> float:
        """How sure its type is, for a placement: likeness to first messages says little of others."""
        return self.tagging.confidence if self.tagging.named else min(self.tagging.confidence, WEIGHTS.likeness)

    @cached_property
    def hashes(self) -> tuple[str, ...]:
        """The hashes by which the very same words are found again, also with a greeting or thanks around them: of all
        letters, and of the words of a sentence that are about something, in any order."""
        said = self.said
        if not self.text_hash or len(said.features) < _A_SENTENCE:
            return (self.text_hash,) if self.text_hash else ()
        told = "\0".join((*sorted(said.features), *sorted(said.numbers)))
        return (self.text_hash, _short(told))

    @property
    def named(self) -> bool:
        """Does the tagger name a matter at all? What says next to nothing names one only by words of a lexicon."""
        tagging = self.tagging
        if tagging.issue_type in NO_TOPIC or not (self.said.kinds or self.said.weight):
            return False
        if self.said.weight <= 0.0 and not self.said.has(_STATING):
            return bool(tagging.words) and self.certainty >= WEIGHTS.evident_type
        likely = self.said.weight >= WEIGHTS.words_of_a_name and self.certainty >= WEIGHTS.likely_type
        return bool(tagging.words) or likely

    @cached_property
    def subject_hash(self) -> str:
        """The hash of the subject without the marks of a reply and of chasing ("Any news? X", "X (second time)");
        empty where there are fewer than four letters."""
        letters = _LETTERS.sub("", _bare_subject(self.subject))
        return _short(letters) if len(letters) >= _SUBJECT else ""

    @property
    def begins_mail(self) -> bool:
        """Is it a mail that answers none, with a subject of its own?"""
        message = self.message
        headed = message.in_reply_to or message.references or self.replies
        return bool(message.realm) and self.own_subject and not headed and bool(self.subject_hash)

    @property
    def opens_mail(self) -> bool:
        """Is it a mail that answers none, whose subject tells something, though the words may tell it once more?"""
        message = self.message
        headed = message.in_reply_to or message.references or self.replies
        return bool(message.realm) and self.titled and not headed and bool(self.subject_hash)

    @cached_property
    def replies(self) -> bool:
        """Does its subject say that it is a reply?"""
        passed_on = self.message.claimed or self.message.original
        return not passed_on and _REPLIES.match(self.subject) is not None

    @cached_property
    def topical(self) -> bool:
        """Is the matter that the tagger names a likely one?"""
        return self.named and (not self.tagging.unsure or self.certainty >= WEIGHTS.likely_type)

    @property
    def long(self) -> bool:
        """Does it hold more words than who goes on with a matter needs?"""
        return self.said.weight > WEIGHTS.many_words

    @cached_property
    def pieces(self) -> Mapping[str, seams.Piece]:
        """What of a person's own words may be a piece of a secret that he sends in several messages."""
        message = self.message
        return {} if message.automatic or message.direction is not Direction.IN else seams.pieces(self.own_text)

    @property
    def silent(self) -> bool:
        """Is it of a kind that nobody needs to answer?"""
        return self.message.kind in _SILENT

    @cached_property
    def poor(self) -> bool:
        """Does it carry next to no content: a greeting, chasing alone, a sticker, nothing?"""
        if self.strong or self.amounts or self.cards or self.message.attachments:
            return False
        return self.said.poor and not self.named

    @cached_property
    def states(self) -> bool:
        """Does it state a problem or a wish, or ask about or clearly name a topic of its own?"""
        if self.said.has(_STATING):
            return True
        return self.topical and (self.said.asks or self.clear)

    @property
    def clear(self) -> bool:
        """Is its issue type so sure that it is a matter of its own, whether a problem is stated or not?"""
        return self.topical and self.certainty >= WEIGHTS.clear_type and self.said.weight >= WEIGHTS.words_of_a_matter

    @cached_property
    def chases(self) -> bool:
        """Does it ask how far something is, or press, naming it perhaps, with nothing new to it?"""
        said = self.said
        if self.amounts or said.has(Word.ATTEMPT | Word.AGAIN) or said.long:
            return False
        if not self.topical and said.weight <= WEIGHTS.many_more_words and not _THREATS.isdisjoint(self.tagging.flags):
            return True
        most = WEIGHTS.many_more_words if said.presses and said.how_far else WEIGHTS.few_words
        pressing = said.presses and not (said.has(Word.PROBLEM) or said.defines)
        share = WEIGHTS.few_words * WEIGHTS.pressing_share if pressing else WEIGHTS.few_words / 2
        brief = 1.0 if self.topical else share
        if said.numbers or said.weight > (most if said.asks else brief):
            return False
        if said.has(Word.PROBLEM) and said.weight > WEIGHTS.words_of_a_name and not said.asks:
            return False
        if said.has(Word.CHASE):
            return said.asks or said.presses or not said.serves
        if said.asks:
            brief = said.weight <= WEIGHTS.few_words / 2 or not said.has(_STATING)
            return said.has(_CHASING) or (brief and not self.named)
        told = self.named or self.strong or said.entities or said.serves or said.rare or said.has(_STATING)
        return not told and said.weight <= 1.0

    @cached_property
    def tries(self) -> bool:
        """Does it tell how a try ended, or add to what was said, rather than state a matter of its own?"""
        if not self.said.has(Word.ATTEMPT):
            return False
        clear = self.topical and self.certainty >= WEIGHTS.clear_type
        return self.said.weight <= (WEIGHTS.words_of_a_matter if clear else WEIGHTS.many_words)

    @cached_property
    def thanks(self) -> bool:
        """Does it thank or agree, and nothing else?"""
        said = self.said
        if not said.thanks or said.asks or said.numbers or said.entities or said.has(Word.CHASE | Word.COMMON):
            return False
        return said.weight <= 0.0 or (said.weight <= 1.0 and not self.named)

    @property
    def only_thanks(self) -> bool:
        """Does it thank or agree without a word more?"""
        return self.thanks and self.said.weight <= 0.0

    @cached_property
    def wordless(self) -> bool:
        """Is it a picture, a voice message or a file alone, or an event without any words?"""
        return not self.words and not self.silent

    @cached_property
    def traces(self) -> tuple[str, ...]:
        """Keys of the traces that this message leaves, and by which it meets those of other people."""
        found = list(self.strong)
        if not self.poor and self.text_hash and len(self.said.features) >= 2:
            found.append(f"text:{self.text_hash}")
            rare = dict.fromkeys((*self._codes, *self.said.entities, *self.said.rare, *self._phrases))
            for word in list(rare)[:_MOST_TRACES]:
                found.extend(f"type:{kind}@{_short(word)}" for kind in self._types)
        found.extend(self._troubles(asking=self.breakdown, failing=self.breakdown or self.fails))
        return tuple(dict.fromkeys(found))

    @cached_property
    def meets(self) -> tuple[str, ...]:
        """The keys of traces of other people that bear on this message. Two who only say that something fails have
        nothing to do with each other; who asks whether it is down for all has with both."""
        left = self.traces if self.breakdown else (key for key in self.traces if not key.endswith(_FAILING))
        return tuple(dict.fromkeys((*left, *self._troubles(asking=self.fails, failing=False))))

    def _troubles(self, *, asking: bool, failing: bool) -> Iterator[str]:
        """Keys of a breakdown that people report in words of their own, for each type that it may be."""
        if not self.poor and not self.strong:
            best = [kind for kind in self._types if kind == self.tagging.issue_type]
            types = self._types if self.breakdown else best
            yield from (f"type:{kind}{_ASKING}" for kind in types if asking)
            yield from (f"type:{kind}{_FAILING}" for kind in types if failing)

    @property
    def _types(self) -> list[str]:
        """The types by which it meets others: its own, and where that is not sure the runner-up."""
        tagging = self.tagging
        sure = tagging.confidence >= _TOLD
        return sorted({tagging.issue_type, *(() if sure else (tagging.runner_up,))} - NO_TOPIC)

    @property
    def _codes(self) -> Iterator[str]:
        """Numbers that are no sum, no count and no year, as errors have them."""
        return (n for n in self.said.numbers if len(n) >= 3 and n not in self.amounts and not _YEAR.fullmatch(n))

    @property
    def _phrases(self) -> list[str]:
        """A few of the Chinese phrases that no list explains: those whose hashes are the smallest, so that two texts
        that share most of them likely choose the same. Who reports what many report is brief."""
        return [] if self.long else sorted(self.said.phrases, key=_short)[:_MOST_PHRASES]

    @property
    def markers(self) -> tuple[str, ...]:
        """Every marker key that the decision will look up."""
        if self.message.direction is not Direction.IN:
            return (self.chat_key,) if self.chat_key else ()
        named = (named_key(self.handles[0][1]),) if self.message.realm == "mail" else ()
        return (*dict.fromkeys((*self.traces, *self.meets)), *self.album, *named)

    @property
    def album(self) -> tuple[str, ...]:
        """The marker by which the pictures of one album find each other; none where there is no album."""
        message = self.message
        named = () if message.realm else (r for r in message.references if r.startswith(_ALBUM))
        return tuple(f"{_ALBUM}{message.channel}:{message.scope}:{r[len(_ALBUM) :]}" for r in named)[:1]

    @property
    def chat_key(self) -> str:
        """The marker by which the desk's own words find the conversations of a chat that has an id of its own."""
        message = self.message
        if message.realm or not message.thread or message.thread == message.sender.handle:
            return ""
        return f"chat:{message.channel}:{message.thread}"


def named_key(address: str) -> str:
    """The marker by which somebody whom a proved mail named finds its conversation, should its parent come late."""
    return f"named:{address}"


def read(message: Message, policy: Policy, *, known: Delivered | None = None) -> Reading:
    """Read a message. Total: any text gives a reading; of a longer one than `own_words.LONGEST` the beginning.

    `known`: what `delivered` made of it under the same policy, where it was asked before."""
    came = known or delivered(message, policy)
    found, message, failed = came.found, came.message, came.failed
    hidden, hidden_subject = came.hidden, came.hidden_subject
    whole = (message.text or (own_words.plain(message.html) if message.html else ""))[: own_words.LONGEST]
    subject = _telling_subject(message, came.own)
    hidden_whole = hidden if whole == came.own else redact.redact(whole)
    own_subject = hidden_subject.text if subject else ""
    telling = telling_part(_unsigned(hidden.text))
    told = identifiers.read(f"{own_subject}\n{hidden.text}" if own_subject else hidden.text, redacted=True)
    folded = fold(f"{own_subject}\n{telling}" if own_subject else telling)
    strong = _foreign(_whole(told.keys()), message)
    people = named_people(message, policy.ours)
    vocabulary = utterance.vocabulary(policy.tagging.lexicons)
    concepts = policy.tagger.concepts(folded)
    return Reading(
        message=message,
        chat=policy.traits(message.channel_kind).chat,
        text=hidden_whole.text if policy.privacy.redact else whole,
        own_text=_with_remark(found.above, hidden.text if policy.privacy.redact else came.own),
        subject=hidden_subject.text if policy.privacy.redact else message.subject,
        digest=came.digest,
        secrets=tuple(dict.fromkeys((*hidden_subject.found, *hidden_whole.found, *hidden.found))),
        exposed=hidden_whole.exposed or hidden.exposed or hidden_subject.exposed,
        words=folded,
        said=vocabulary.read(folded),
        strong=strong,
        cards=tuple(w for w in told.weak() if w.startswith("card:")),
        amounts=tuple(dict.fromkeys(amount for amount, _ in told.amounts)),
        tagging=tagged(telling, own_subject, policy, folded=folded),
        breakdown=_BREAKDOWN in concepts,
        fails=not _FAILS.isdisjoint(concepts),
        failed=failed,
        customers=customers(f"{hidden_subject.text}\n{telling}"),
        own_subject=bool(own_subject) and vocabulary.carries(fold(own_subject)),
        titled=_titled(message, came.own) and vocabulary.carries(fold(hidden_subject.text)),
        handles=_handles(message, failed, people, found.agent),
        people=people,
        agent=found.agent,
    )


def _unsigned(own: str) -> str:
    """Own words without the names and numbers behind a closing formula at their end: they tell nothing of a matter."""
    begin = max(0, len(own) - _SIGNATURE)
    found = _SIGNED.search(own, begin)
    return own if found is None else own[: found.start()].rstrip() or own


def _titled(message: Message, own: str) -> bool:
    """Has it a subject that somebody wrote? One that is only how its single line begins was made by a program."""
    subject, said = " ".join(message.subject.split()), own.strip()
    return bool(subject) and ("\n" in said or not said.startswith(subject.rstrip("….")))


def _with_remark(above: str, own: str) -> str:
    """Own words with what a colleague wrote above them when he passed them on."""
    return f"[{redact.redact(above).text}]\n\n{own}" if above else own


def telling_part(own: str) -> str:
    """The part of long own words that tells what they are about: how they begin and how they end."""
    return own if len(own) <= HEAD + TAIL else f"{own[:HEAD]}\n{own[-TAIL:]}"


def tagged(telling: str, subject: str, policy: Policy, *, folded: str | None = None) -> Tagging:
    """What it is about. Long words are about what they begin with, where that alone says it: courtesies at the end of
    a mail name other things in passing. Flags and language are those of all of it."""
    opening = _opening(telling) if len(telling) > _OPENING else ""
    begun = policy.tagger.tag(opening, subject) if opening else None
    if begun is None or begun.confidence < WEIGHTS.begun_type or begun.issue_type in NO_TOPIC:
        return policy.tagger.tag(telling, subject, folded=folded)
    flags = {*begun.flags, *policy.tagger.flags(fold(telling) if folded is None else folded)}
    return replace(begun, flags=tuple(sorted(flags)), language=language(telling))


def _bare_subject(subject: str) -> str:
    """A subject in lower case, without the marks of replies and without the words of who asks once more."""
    bare = subject.lower()
    while (mark := _REPLIES.match(bare) or _CHASED_BEFORE.match(bare)) is not None and mark.end() < len(bare):
        bare = bare[mark.end() :]
    behind = _CHASED_BEHIND.search(bare)
    return bare[: behind.start()] if behind is not None and behind.start() else bare


def _opening(text: str) -> str:
    """The first sentence that is more than a greeting; empty where less follows it."""
    begins = 0
    for end in _SENTENCE.finditer(text):
        if len(text[begins : end.start()].encode("utf-8", "replace").strip()) >= _SENTENCE_BYTES:
            return text[: end.start()] if 2 * end.start() < len(text) else ""
        begins = end.end()
    return ""


def _handles(message: Message, failed: bool, people: tuple[str, ...], agent: str) -> tuple[Handle, ...]:
    """The sender's handles, his own first; of one who failed authentication also the address that he claims, to
    suggest by; of people whom a proved mail or a colleague names, since they may have answered before it came. For the
    desk's own words: that of the chat."""
    if message.direction is not Direction.IN:
        return ((message.channel, message.scope),) if message.scope else ()
    found = identity.handles_of(message, failed=failed)
    proved = agent or message.authenticity is Authenticity.PASS
    named = tuple(("email", address) for address in people[:_MOST_NAMED]) if proved else ()
    return (*found, identity.reply_handle(message), *named) if failed else (*found, *named)


def _telling_subject(message: Message, own: str) -> str:
    """The subject where it adds to the words: not that of a reply, not a piece of the text once more, cut short."""
    subject = message.subject.strip()
    if not subject or message.in_reply_to or message.references or _REPLIES.match(subject):
        return ""
    bare = _LETTERS.sub("", subject)
    return "" if bare in _LETTERS.sub("", own[:HEAD]) else subject


def _whole(keys: tuple[str, ...]) -> tuple[str, ...]:
    """Without numbers that are the beginning of another: subjects are cut short anywhere."""
    return tuple(key for key in keys if not any(other != key and other.startswith(key) for other in keys))


def _foreign(keys: tuple[str, ...], message: Message) -> tuple[str, ...]:
    """Without the sender's own account: he may name it in every matter."""
    mine = f"account:{message.sender.verified.get('account', '')}".lower()
    return tuple(key for key in keys if key.lower() != mine)


def _short(word: str) -> str:
    return xxh3_64_hexdigest(word.encode("utf-8", "surrogatepass"))[:12]

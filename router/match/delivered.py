"""What of a message must be read to tell whether it was seen before?

In: a message and the policy. Out: `Delivered`: whose it is, its own words and subject with the secrets in them found,
and the digest of what its sender wrote and attached. The rest of reading (`router.match.features`) builds on it; of a
redelivery nothing more is ever read. Pure and total: of a longer text than `own_words.LONGEST` the beginning counts.
"""

from __future__ import annotations

from router.match import identity
from router.match.authorship import Authored, authored
from router.match.dedupe import content_digest
from router.model import Authenticity, Message
from router.policy.values import Policy
from router.text.own_words import cut as own_words
from router.text.secrets.redact import Redacted, redact
from router.value import Value

__all__ = ["Delivered", "delivered"]


class Delivered(Value, frozen=True, kw_only=True):
    """A message as far as a redelivery is told by. `own` are its own words as written, `hidden` and `hidden_subject`
    what is left of them and of the subject without secrets; `failed`: its sender failed authentication."""

    found: Authored
    failed: bool
    own: str
    hidden: Redacted
    hidden_subject: Redacted
    digest: str

    @property
    def message(self) -> Message:
        """The message, with the sender whose it is."""
        return self.found.message


def delivered(message: Message, policy: Policy) -> Delivered:
    """Read a message as far as it takes to know it again. Total."""
    failed = _failed(message, policy)
    heard = policy.traits(message.channel_kind).heard
    found = authored(message, policy.ours, failed=failed, heard=heard)
    own = _own(found)
    hidden, hidden_subject = redact(own), redact(message.subject)
    return Delivered(
        found=found,
        failed=failed,
        own=own,
        hidden=hidden,
        hidden_subject=hidden_subject,
        digest=content_digest(message, hidden_subject.text, _as_delivered(message, found, hidden.text)),
    )


def _own(found: Authored) -> str:
    """The own words of whose message it is."""
    if found.words is None:
        return own_words.cut(found.message.text, found.message.html).own
    return own_words.cut(found.words).own


def _as_delivered(written: Message, found: Authored, own: str) -> str:
    """The own words by which a redelivery is known: those of the mail as it came, whosever it is held to be."""
    return own if found.words is None else redact(own_words.cut(written.text, written.html).own).text


def _failed(message: Message, policy: Policy) -> bool:
    """Does this mail count as failing authentication? With `authenticity = "require"`, unknown does too."""
    if message.authenticity is Authenticity.FAIL:
        return True
    unknown = message.authenticity is Authenticity.UNKNOWN and identity.is_mail(message)
    return unknown and policy.channel(message.channel).authenticity == "require"

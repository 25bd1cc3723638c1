"""What does a mail say to the desk? Its raw bytes in, one `Message` out.

`translate` is pure and total: whatever arrives, it either gives a message or raises `InvalidPayload` with a sentence.
The questions have modules of their own: how the mail is built (`_structure`), what its bytes say (`_charset`), what it
contains (`_content`), whom its addresses name (`_addresses`), when it came (`_instant`), whether a person wrote it
(`_automatic`), who vouches for the sender (`_authenticity`), whom it names beside him (`_named`). Here they are put
together.
"""

from __future__ import annotations

import contextlib
import re
from datetime import datetime
from hashlib import sha256

from adapters.email import automatic, instant
from adapters.email import bounce as email_bounce
from adapters.email.addresses import Mailbox, mailboxes
from adapters.email.authenticity import verdict
from adapters.email.mime import named
from adapters.email.mime.charset import clean_line, decode, header
from adapters.email.mime.content import charset_of, content_of
from adapters.email.mime.structure import Fields, Part, head, parse
from router.errors import InvalidPayload
from router.model import Authenticity, Message, Sender
from router.ports import Raw
from router.text.secrets import scrub_ids
from router.value import Value

__all__ = ["Desk", "translate"]

MAX_ID = 998
MAX_REFERENCES = 1_000
KEPT_REFERENCES = 20
MAX_SUBJECT = 1_000
MAX_RECIPIENTS = 50
MAX_SENDERS = 3

_ID = re.compile(r"<([^<>]{1,4000})>")
_WHOSE = re.compile(r"\b(?:[Ff]rom|[Bb]y)\b[^<>]{0,100}<([^<>\s]{1,255}@[^<>\s]{1,255})>")
_TOKEN = re.compile(r"(?<![a-z0-9])([a-z2-7]{48})(?![a-z0-9])", re.IGNORECASE)
_VIA = re.compile(r"(.*\S)\s+(?:via|通过|透過)\s+\S.*", re.IGNORECASE)
_ORIGINAL_FROM = (b"x-original-from", b"x-original-sender", b"original-from")
_RECIPIENTS = (b"to", b"cc", b"delivered-to", b"x-original-to", b"envelope-to")


class Desk(Value, frozen=True, kw_only=True):
    """What the translation may know of the channel: its name, its own address, the mail server it trusts, the addresses
    from which forms of ours write."""

    channel: str
    address: str = ""
    trusted_authserv_id: str = ""
    form_senders: tuple[str, ...] = ()


class _Author(Value, frozen=True, kw_only=True):
    """The person behind a mail; `munged`: the address is a mailing list's, so it proves nothing of him."""

    address: str
    name: str = ""
    munged: bool = False
    doubtful: bool = False


def translate(raw: Raw, desk: Desk) -> Message:
    """Turn a mail into a message. Raises `InvalidPayload` only (empty, or beyond a limit of `_structure`)."""
    root = parse(raw.body)
    fields = root.fields
    beside = charset_of(root)
    author = _author(fields, beside)
    subject = header(next(filter(None, fields.every(b"subject")), b""), beside)[:MAX_SUBJECT]
    addressed = [m.address for name in _RECIPIENTS for value in fields.every(name)[:2] for m in mailboxes(value)]
    origin = automatic.judge(
        root, sender=author.address, subject=subject, own=(desk.address.lower(),), recipients=len(addressed)
    )
    authenticity = verdict(fields, author.address, desk.trusted_authserv_id, doubtful=author.doubtful or author.munged)
    in_reply_to = _answered(fields, {author.address, *addressed})
    references = _references(fields, in_reply_to)
    if origin.automatic:
        references = (*references, *(i for i in _returned(root) if i not in references))
    texts, pages, files = content_of(root)
    bounce = email_bounce.read(root, why=origin.why if origin.automatic else "", subject=subject, text=texts)
    if not origin.automatic:
        texts = named.with_enclosed(root, texts)
    return Message(
        external_id=_external_id(fields, raw.body),
        channel=desk.channel,
        channel_kind="email",
        realm="mail",
        sent_at=_sent_at(raw, fields),
        sender=_sender(author, raw.body, authenticity),
        text=texts,
        subject=subject,
        html=pages,
        in_reply_to=in_reply_to[0] if in_reply_to else "",
        references=references,
        attachments=files,
        automatic=origin.automatic,
        authenticity=authenticity,
        reply_token=_reply_token(addressed, in_reply_to[:1], references),
        recipients=_ours(addressed, desk.address),
        flags=_flags(origin, author),
        bounce=bounce,
        headers=named.headers(fields, author.address, desk.form_senders),
    )


def _sent_at(raw: Raw, fields: Fields) -> datetime:
    """The server-side time of a mail, never after it was received here."""
    internal = raw.meta.get("internaldate", "")
    if internal:
        try:
            at = datetime.fromisoformat(internal)
        except ValueError:
            at = None
        if at is not None and at.tzinfo is not None:
            return min(at, raw.received_at)
    return instant.of_mail(fields, latest=raw.received_at) or raw.received_at


def _author(fields: Fields, beside: str) -> _Author:
    """Who wrote: From, else Sender, else Reply-To; behind a mailing list that writes in his name, the person."""
    written = fields.every(b"from")
    found = next(filter(None, (mailboxes(value, limit=3, beside=beside) for value in written[:MAX_SENDERS])), [])
    doubtful = len(written) > 1 or len(found) > 1 or fields.mended
    for name in (b"sender", b"reply-to"):
        if not found:
            found = mailboxes(fields.first(name), limit=1)
            doubtful = True
    if not found:
        return _Author(address="", name=clean_line(header(written[0]))[:200] if written else "", doubtful=True)
    first = found[0]
    via = _VIA.fullmatch(first.name) if " " in first.name else None
    if via or any(name in fields for name in _ORIGINAL_FROM):
        person = _person(fields, first)
        if person:
            return _Author(address=person.address, name=person.name or (via[1] if via else ""), munged=True)
        return _Author(address=first.address, name=first.name, munged=True)
    return _Author(address=first.address, name=first.name, doubtful=doubtful or first.doubtful)


def _person(fields: Fields, listed: Mailbox) -> Mailbox | None:
    """Whom a list wrote for: X-Original-From, else a single Reply-To that is not the list itself."""
    for name in _ORIGINAL_FROM:
        found = mailboxes(fields.first(name), limit=1)
        if found and found[0].address != listed.address:
            return found[0]
    posts = fields.first(b"list-post") + fields.first(b"list-id")
    replies = [m for m in mailboxes(fields.first(b"reply-to"), limit=3) if m.address != listed.address]
    replies = [m for m in replies if m.address.encode() not in posts.lower()]
    return replies[0] if len(replies) == 1 else None


def _sender(author: _Author, body: bytes, authenticity: Authenticity) -> Sender:
    """The sender as a value; a mail without any sender has one of its own, so that strangers never become one."""
    address = author.address or f"unknown-{sha256(body).hexdigest()[:16]}@sender.invalid"
    verified = {"email": address} if authenticity is Authenticity.PASS else {}
    return Sender(handle=address, name=author.name, verified=verified)


def _flags(origin: automatic.Origin, author: _Author) -> tuple[str, ...]:
    raised = {"automatic": origin.automatic, "no_auto_answer": origin.no_answer, "list_munged": author.munged}
    return tuple(flag for flag, holds in raised.items() if holds)


def _external_id(fields: Fields, body: bytes) -> str:
    """The Message-ID without brackets, or the digest of the bytes where there is none that identifies anything."""
    found = _ids(fields.first(b"message-id"))
    return found[0] if found else f"sha256:{sha256(body).hexdigest()}"


def _ids(value: bytes) -> list[str]:
    """The ids of a field, without brackets and secrets; one that is too long or holds control characters is none."""
    if not value:
        return []
    text = decode(value)
    words = text.replace(",", " ").split()
    found = [i.strip() for i in _ID.findall(text)] or [word.strip("<>") for word in words if "@" in word]
    return [scrub_ids.identity(i) for i in found if i and len(i) <= MAX_ID and i.isprintable() and i not in ("@", ".")]


def _answered(fields: Fields, people: set[str]) -> list[str]:
    """The ids of In-Reply-To. Old programs also say there whose mail was answered ("Message from Anna <anna@…> of
    Monday"), and an address, which all answers to one person share, is no id."""
    value = fields.first(b"in-reply-to")
    if not value:
        return []
    text = decode(value)
    if "<" not in text and not all("@" in word for word in text.replace(",", " ").split()):
        return []
    found = [i for i in _ids(value) if i.lower() not in people]
    whose = set(_WHOSE.findall(text))
    return [i for i in found if i not in whose or (len(found) == 1 and not _is_spelled(i))]


def _is_spelled(external_id: str) -> bool:
    """Does this have no digit before its `@`, as addresses may and the ids that programs make do not?"""
    return not any(letter.isdigit() for letter in external_id.partition("@")[0])


def _references(fields: Fields, in_reply_to: list[str]) -> tuple[str, ...]:
    """All ids of References and further ones of In-Reply-To, each once; of very many the first and last."""
    found = dict.fromkeys(_ids(fields.first(b"references")))
    found.update(dict.fromkeys(in_reply_to[1:]))
    kept = tuple(found)
    return kept if len(kept) <= MAX_REFERENCES else kept[:KEPT_REFERENCES] + kept[-KEPT_REFERENCES:]


def _returned(root: Part) -> list[str]:
    """The Message-IDs of the mails that a report sends back: what it is about."""
    found: list[str] = []
    for part in root.parts if root.kind == "multipart/report" else ():
        if part.kind in ("message/rfc822", "text/rfc822-headers"):
            with contextlib.suppress(InvalidPayload):
                found += _ids(head(part.content).first(b"message-id"))
    return found


def _reply_token(addressed: list[str], parent: list[str], references: tuple[str, ...]) -> str:
    """A token of ours, unverified: from an address (`help+TOKEN@`, `TOKEN@`), else from the nearest Message-ID."""
    for address in addressed:
        local, _, _ = address.partition("@")
        found = _TOKEN.search(local) if len(local) >= 48 else None
        if found:
            return found[1].lower()
    for answered in (*parent, *reversed(references)):
        found = _TOKEN.search(answered.partition("@")[0]) if len(answered) > 48 else None
        if found:
            return found[1].lower()
    return ""


def _ours(addressed: list[str], own: str) -> tuple[str, ...]:
    """The addresses of our domain that it was sent to (all of them where we do not know our own), each once."""
    domain = own.rpartition("@")[2].lower()
    mine = (a for a in addressed if not domain or a.rpartition("@")[2] == domain)
    return tuple(dict.fromkeys(mine))[:MAX_RECIPIENTS]

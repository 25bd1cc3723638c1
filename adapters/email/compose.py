"""How does a reply of the desk look as a mail? A `Reply` in, envelope and bytes out, the same at every attempt.

Header fields are built from checked single-line values only. The compat32 policy writes them, because the newer one
turns Message-IDs longer than a line into encoded words, and then no answer finds its thread. No history is quoted.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from email.encoders import encode_base64
from email.header import Header
from email.message import Message as Mail
from email.mime.base import MIMEBase
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.policy import compat32
from email.utils import format_datetime

from adapters.email.addresses import mailboxes
from adapters.email.automatic import LOOP_FIELD
from adapters.email.thread_index import answer_below
from router.errors import SendRejected
from router.model import Attachment
from router.ports import Reply
from router.value import Value
from router.wire.attachment import file_name, media_type

__all__ = ["Envelope", "compose", "probe", "reply_address"]

MAX_REFERENCES = 40
_POLICY = compat32.clone(linesep="\r\n", max_line_length=900)
#: Vertical tabs, form feeds and their like: `str.splitlines` and some servers end a line at them.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]")
#: A Message-ID without its brackets, as it may stand in a field.
_ID = re.compile("[!-~]+")
#: Length of a signed token, with which the external id of a reply begins (`router.match.reply_address`).
_TOKEN = 48


class Envelope(Value, frozen=True, kw_only=True):
    """What goes to the server: the path back (empty for automatic mail), the recipient and who is copied, the mail's
    bytes."""

    sender: str
    recipient: str
    content: bytes
    copied: tuple[str, ...] = ()
    international: bool = False


def compose(reply: Reply, address: str, *, answer_to: str = "") -> Envelope:
    """Write the mail of a reply. Raises SendRejected for what can never be sent."""
    recipient = _recipient(reply.to)
    copied = _copied(reply.cc, recipient)
    body: Mail = MIMEText(reply.text, "plain", "utf-8")
    if reply.attachments:
        text, body = body, MIMEMultipart("mixed")
        body.attach(text)
        for attachment in reply.attachments:
            body.attach(_file(attachment))
    for name, value in _fields(reply, address, recipient, copied, answer_to).items():
        if any(c in value for c in "\r\n\0"):
            raise SendRejected(f"The reply's {name} holds a line break; nothing was sent.")
        value = _CONTROL.sub(" ", value)
        encoded = value if value.isascii() else Header(value, "utf-8", header_name=name).encode()
        body[name] = encoded
    content = body.as_bytes(policy=_POLICY)
    sender = "" if reply.automatic else answer_to or address  # where an answer goes by its token, a bounce does too
    international = not all(a.isascii() for a in (recipient, *copied))
    return Envelope(sender=sender, recipient=recipient, copied=copied, content=content, international=international)


def probe(address: str, name: str, now: datetime) -> Envelope:
    """A mail to ourselves by a plus address, known as our own automatic mail when it comes back."""
    local, _, domain = address.rpartition("@")
    recipient = f"{local}+{name}@{domain}"
    reply = Reply(
        number=0, channel="", to=recipient, text="Do plus addresses arrive here?", external_id=f"{name}@{domain}",
        idempotency_key=name, created_at=now, subject="Plus address check", automatic=True,
    )  # fmt: skip
    return compose(reply, address)


def _recipient(to: str) -> str:
    """The one address that the reply goes to."""
    found = mailboxes(to.encode("utf-8", "replace"), limit=2)
    if len(found) != 1 or found[0].doubtful or found[0].address.endswith(".invalid") or any(c in to for c in "\r\n\0"):
        raise SendRejected("The reply's address is no mail address; the customer's mail named none that takes answers.")
    return found[0].address


def _copied(cc: Sequence[str], recipient: str) -> tuple[str, ...]:
    """The addresses to copy, each once; what is no address is left out, so that the customer gets his answer."""
    found = (mailboxes(one.encode("utf-8", "replace"), limit=2) for one in cc if not any(c in one for c in "\r\n\0"))
    whole = (f[0].address for f in found if len(f) == 1 and not f[0].doubtful and not f[0].address.endswith(".invalid"))
    return tuple(a for a in dict.fromkeys(whole) if a != recipient)


def _fields(reply: Reply, address: str, recipient: str, copied: Sequence[str], answer_to: str) -> dict[str, str]:
    """The header fields, as text of one line each."""
    fields = {
        "From": address,
        "To": _named(reply.to_name, recipient),
        **({"Cc": ", ".join(copied)} if copied else {}),
        "Subject": reply.subject or "Re:",
        "Date": format_datetime(reply.created_at),
        "Message-ID": f"<{reply.external_id}>",
    }
    if answer_to or reply.reply_to:
        fields["Reply-To"] = reply.reply_to or answer_to
    parents = dict.fromkeys((*reply.references, reply.in_reply_to))
    chain = [f"<{parent}>" for parent in parents if parent and _ID.fullmatch(parent)]
    if reply.in_reply_to and f"<{reply.in_reply_to}>" in chain:
        fields["In-Reply-To"] = f"<{reply.in_reply_to}>"
    if chain:
        fields["References"] = " ".join(chain[-MAX_REFERENCES:])
    if index := answer_below(reply.thread_index, reply.created_at):
        fields["Thread-Index"] = index
        if reply.thread_topic:
            fields["Thread-Topic"] = " ".join(reply.thread_topic.split())
    if reply.automatic:
        fields["Auto-Submitted"] = "auto-replied"
        fields["X-Auto-Response-Suppress"] = "All"
        fields[LOOP_FIELD] = address
    return fields


def _named(name: str, address: str) -> str:
    """`"Name" <address>`, the name quoted or encoded by us and never able to add a recipient."""
    words = " ".join(name.split())[:100]
    if not words or not words.isprintable():
        return address
    if not words.isascii():
        return f"{Header(words, 'utf-8').encode()} <{address}>".replace("\n", "")
    escaped = words.replace("\\", "").replace('"', "'")
    return f'"{escaped}" <{address}>'


def _file(attachment: Attachment) -> MIMEBase:
    """An attachment as a part. Raises SendRejected for one whose content is not here."""
    if not attachment.content:
        raise SendRejected(f"The attachment {file_name(attachment.name)} has no content to send.")
    main, _, sub = media_type(attachment.type).partition("/")
    if main in ("multipart", "message"):
        main, sub = "application", "octet-stream"
    part = MIMEBase(main, sub)
    part.set_payload(attachment.content)
    encode_base64(part)
    name = file_name(attachment.name)
    part.add_header("Content-Disposition", "attachment", filename=name if name.isascii() else ("utf-8", "", name))
    return part


def reply_address(reply: Reply, address: str, way: str) -> str:
    """Where answers to this reply go so that they carry its token: `help+TOKEN@` or, at a catch-all, `TOKEN@`."""
    token = reply.external_id.partition("@")[0].partition(".")[0]
    if way == "message-id" or len(token) != _TOKEN:
        return ""
    local, _, domain = address.rpartition("@")
    return f"{local}+{token}@{domain}" if way == "plus" else f"{token}@{domain}"

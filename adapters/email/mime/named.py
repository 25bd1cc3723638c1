"""Whom does a mail name beside its sender, and what is enclosed in it whole?

In: header fields and the tree of parts. Out: `Headers` (whom To, Cc and Reply-To name; what Outlook needs to set an
answer below), and the text with the mail that was forwarded as an attachment set below it, as programs do that forward
inline. Whose mail it then is, is not decided here. Total: a mail that cannot be read stays a file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice

from adapters.email.addresses import mailboxes
from adapters.email.mime.charset import clean_line, decode, header
from adapters.email.mime.content import content_of
from adapters.email.mime.structure import Fields, Part, parse
from adapters.email.thread_index import is_thread_index
from router.errors import InvalidPayload
from router.model import Headers, Party

__all__ = ["headers", "with_enclosed"]

#: People that are kept of a mail; more are a mailing, not a conversation.
MAX_NAMED = 50
_NO_REPLY = re.compile(r"(?:(?:do|does|can)[-_.]?)?(?:not?|never)[-_.]?(?:reply|response|respond)(?:[-_+.=].*)?")
#: Fields of an enclosed mail that are set above its text, as a forward has them.
_SHOWN = (("From", b"from"), ("Date", b"date"), ("Subject", b"subject"), ("To", b"to"))


def headers(fields: Fields, sender: str, form_senders: Sequence[str]) -> Headers:
    """What the header fields say of people and of the place of an answer."""
    named: dict[str, Party] = {}
    for name in (b"to", b"cc"):
        for value in fields.every(name)[:1]:
            named.update((party.address, party) for party in _parties(value) if party.address not in named)
    index = "".join(decode(fields.first(b"thread-index")[:8192]).split())
    return Headers(
        named=tuple(islice(named.values(), MAX_NAMED)),
        reply_to=tuple(_parties(fields.first(b"reply-to"))),
        form=sender in form_senders,
        machine=bool(_NO_REPLY.fullmatch(sender.partition("@")[0])),
        thread_index=index if is_thread_index(index) else "",
        thread_topic=header(fields.first(b"thread-topic"))[:400],
    )


def _parties(value: bytes) -> Iterator[Party]:
    """The people of an address field; one that can be read in two ways names nobody."""
    for found in mailboxes(value, limit=MAX_NAMED):
        if not found.doubtful:
            yield Party(address=found.address, name=found.name)


def with_enclosed(root: Part, text: str) -> str:
    """The text, and below it the one mail that is enclosed as a file (`message/rfc822`), as a forward shows it."""
    found = list(islice(_enclosed(root), 2))
    if len(found) != 1:
        return text
    try:
        inner = parse(found[0].content)
        words, _, _ = content_of(inner)
    except InvalidPayload:
        return text
    shown = ((label, clean_line(header(inner.fields.first(name)))) for label, name in _SHOWN)
    lines = [f"{label}: {value[:400]}" for label, value in shown if value]
    if not lines or not lines[0].startswith("From"):
        return text
    return "\n".join([*([text, ""] if text else []), "---------- Forwarded message ----------", *lines, "", words])


def _enclosed(part: Part) -> Iterator[Part]:
    for child in part.parts if part.kind != "multipart/report" else ():
        if child.kind == "message/rfc822":
            yield child
        else:
            yield from _enclosed(child)

"""Does a mail report that one of ours did not arrive: whose, for good or not yet, and by which of our ids?

In: the tree of a mail that a machine wrote. Out: `Bounce`, or None for what is no such report. Forms: RFC 3464 (also as
Exchange writes it), X-Failed-Recipients, and plain words (系统退信, qmail, QQ, 163, older Exchange). Ids are looked for
in the headers of the returned mail, in the report's own (an address of ours with a token is one), then in all that is
readable. Whether one is genuine the decision tells by its signature.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator
from itertools import islice

from adapters.email.mime.charset import clean_line, decode, header
from adapters.email.mime.structure import Fields, Part, head
from router.bounce import Bounce, Failure
from router.errors import InvalidPayload
from router.text.secrets.redact import redact

__all__ = ["read"]

MAX_PROOFS = 20
MAX_FAILURES = 50
MAX_WORDS = 200
#: Bytes of one part that are looked through for ids.
MAX_LOOKED_AT = 256 * 1024

_STATUS = frozenset({"message/delivery-status", "message/global-delivery-status"})
_OTHER_REPORTS = frozenset({"message/disposition-notification", "message/feedback-report"})
_RETURNED = frozenset(
    {"message/rfc822", "message/global", "text/rfc822-headers", "message/rfc822-headers", "message/global-headers"}
)
_PROOF = re.compile(rb"(?<![A-Za-z0-9])([A-Za-z2-7]{48})(?:\.([0-9]{1,19}))?(?![A-Za-z0-9])")
_CODE = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])")
_ADDRESS = re.compile(r"[^\s<>()\[\]:;,\"'“”（）：，。、=]{1,64}@[A-Za-z0-9.-]{1,200}[A-Za-z0-9]")
_FAILED = re.compile(
    r"undeliver|could(?: not|n't) be delivered|cannot be delivered|delivery (?:has )?fail|fail\w* to deliver"
    r"|did not reach|permanent (?:fatal )?error|returned to sender|mail delivery|failure notice"
    r"|user unknown|qmail-send program|bounce"
    r"|退信|退件|退回|投递失败|投遞失敗|无法投递|無法投遞|无法送达|無法送達|未送达|未送達|发送失败|寄送失敗|不存在|配信不能",
    re.IGNORECASE,
)
_LATER = re.compile(
    r"will (?:be retried|keep trying|continue (?:to try|trying))|delivery (?:is|has been) delayed|delayed mail"
    r"|\(delay\)|not yet been delivered|do not need to re-?send|warning: (?:message|could not send)"
    r"|继续尝试|繼續嘗試|稍后重试|稍後重試|将会?重试|延迟投递|延遲投遞|暂未送达|暫未送達",
    re.IGNORECASE,
)


def read(root: Part, *, why: str, subject: str, text: str) -> Bounce | None:
    """What a mail reports of one of ours. `why` no person wrote it (`_automatic`): words of failure count in bounces
    and reports only, never in an answer of a person, or of his absence."""
    parts = list(_walk(root)) if why else []
    failures = _by_report(parts)
    if failures is None:
        bounces = "bounce" in why or root.kind == "multipart/report"
        if not bounces or any(part.kind in _OTHER_REPORTS for part in parts):
            return None
        failures = _by_words(root.fields, subject, text)
    if not failures:
        return None
    return Bounce(proofs=tuple(islice(dict.fromkeys(_proofs(root, parts)), MAX_PROOFS)), failures=failures)


def _walk(part: Part) -> Iterator[Part]:
    yield part
    for child in part.parts:
        yield from _walk(child)


# ── what is reported ──


def _by_report(parts: Iterable[Part]) -> tuple[Failure, ...] | None:
    """What delivery-status parts say, a failure a recipient; None when there is no such part."""
    reports = [part for part in parts if part.kind in _STATUS]
    if not reports:
        return None
    groups = [group for part in reports for group in re.split(rb"\r?\n[ \t]*\r?\n", part.content)]
    return tuple(islice(filter(None, map(_failure, groups)), MAX_FAILURES))


def _failure(group: bytes) -> Failure | None:
    """What one group of fields says of a recipient; nothing where he got the mail."""
    with contextlib.suppress(InvalidPayload):
        fields = head(group.lstrip(b"\r\n"))
        recipient = _recipient(fields.first(b"original-recipient")) or _recipient(fields.first(b"final-recipient"))
        status = _CODE.search(decode(fields.first(b"status")))
        code = status[1] if status else ""
        action = decode(fields.first(b"action")).strip().lower().partition(" ")[0]
        if (not recipient and not action) or action in ("delivered", "relayed", "expanded") or code.startswith("2."):
            return None
        return Failure(
            recipient=recipient, final=action == "failed" or (not action and code.startswith("5.")), status=code,
            words=_words(decode(fields.first(b"diagnostic-code")).partition(";")[2]),
        )  # fmt: skip
    return None


def _recipient(value: bytes) -> str:
    """The address of `rfc822; user@host`, in lower case."""
    found = _ADDRESS.search(decode(value).rpartition(";")[2])
    return found[0].lower() if found else ""


def _by_words(fields: Fields, subject: str, text: str) -> tuple[Failure, ...]:
    """What the fields and words of a mail say that is no report by its form."""
    named = header(fields.first(b"x-failed-recipients")).split(",")
    failed = [found[0].lower() for found in map(_ADDRESS.search, named) if found]
    above = text[:4000]
    later = bool(_LATER.search(subject) or _LATER.search(above))
    if not failed and not later and not _FAILED.search(subject) and not _FAILED.search(above):
        return ()
    code = _CODE.search(above)
    mentioned = {found.lower() for found in islice(_ADDRESS.findall(above), 10)}
    recipients = failed or (list(mentioned) if len(mentioned) == 1 else [""])
    return tuple(
        Failure(recipient=one, final=not later, status=code[1] if code else "") for one in recipients[:MAX_FAILURES]
    )


def _words(text: str) -> str:
    return redact(clean_line(text).strip()).text[:MAX_WORDS]


# ── by which id ──


def _proofs(root: Part, parts: Iterable[Part]) -> Iterator[str]:
    """What looks like a signed id of ours, the likeliest first."""
    parts = list(parts)
    for part in parts:
        if part.kind in _RETURNED:
            with contextlib.suppress(InvalidPayload):
                yield from _in_fields(head(part.content), (b"message-id",))
    yield from _in_fields(root.fields, (b"in-reply-to", b"x-original-message-id", b"original-message-id"))
    yield from reversed(list(_in_fields(root.fields, (b"references",))))
    for part in parts:
        if not part.parts:
            yield from _in_bytes(part.content[:MAX_LOOKED_AT])
    for values in root.fields.values.values():
        for value in values:
            yield from _in_bytes(value)


def _in_fields(fields: Fields, names: Iterable[bytes]) -> Iterator[str]:
    for name in names:
        for value in fields.every(name):
            yield from _in_bytes(value)


def _in_bytes(content: bytes) -> Iterator[str]:
    for found in _PROOF.finditer(content):
        number = b"." + found[2] if found[2] else b""
        yield (found[1].lower() + number).decode("ascii")

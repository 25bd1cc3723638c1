"""Is this the notice of a mail system that no header field declares as one? Its sender and first words in, why out.

Servers of carriers answer "invalid user address", list managers say that they passed a mail on to nobody, services
report bounces as JSON. A person may write from such an address, and a contact form sends customers' words from a
`noreply`: so the sender and what is said must both be a machine's, and the more a person's the sender may be, the less
may a person have said it.
"""

from __future__ import annotations

import re

from adapters.email.mime.charset import decode
from adapters.email.mime.content import charset_of
from adapters.email.mime.structure import Part

__all__ = ["notice"]

#: Bytes of a text that are looked at.
MAX_BEGINNING = 2_000

_POST = re.compile(
    r"(?:post[-_.]?master|mail(?:er)?[-_.]?(?:daemon|system|admin)|mail[-_.]?delivery[^@]{0,40})(?:[-_+.=].*)?"
)
_LIST = re.compile(
    r"(?:listserv|list[-_.]?(?:manager|master|proc|server)|majordomo|mailman|sympa|ezmlm|mlmmj|ecartis|smartlist)"
    r"(?:[-_+.=].*)?|.{1,64}-(?:owner|bounces|request|errors|confirm|unsubscribe)"
)
_MAYBE_LIST = re.compile(r".{1,64}[-_.](?:admin|manager|master|ctl|help)|list[-_.]?admin|fml")
_RETURNED = re.compile(
    r"(?:invalid|unknown|no such|nonexistent|unrouteable) (?:user|recipient|mailbox|address|account)"
    r"|(?:user|recipient|mailbox|address|account)(?: is| was| does)? (?:unknown|not exist|not found|full|rejected)"
    r"|over ?quota|quota exceeded|relay(?:ing)? denied|\b5[0-9]{2}[ -]5\.[0-9]\.[0-9]\b"
    r"|(?:用户|收件人|邮箱|地址|用戶|信箱|帳號)(?:不存在|已满|已滿|无效|無效|被拒)|无法送达|無法送達",
    re.IGNORECASE,
)
_OF_A_LIST = re.compile(
    r"loop alert|duplicated message-id|(?:mail|message|post|posting|article) was not distributed"
    r"|(?:awaits|awaiting|waiting for|held for) (?:the )?(?:moderator|approval|moderation)"
    r"|not (?:allowed|permitted|authori[sz]ed) to post|only (?:members|subscribers) (?:can|may) post"
    r"|results of your (?:e-?mail )?commands?",
    re.IGNORECASE,
)
_NOT_PASSED_ON = re.compile(
    r"(?:post|posting|message|mail)(?: to .{1,100})? (?:was |has been |is )?(?:denied|rejected|not accepted|held)"
    r"|confirm(?:ation)? .{0,60}subscri|subscri.{0,60}confirm",
    re.IGNORECASE,
)
_REPORTED = re.compile(
    r'\s*\{.{0,1500}?"(?:notificationType|eventType)"\s*:\s*"(?:bounce|complaint|delivery)"', re.IGNORECASE | re.DOTALL
)


def notice(root: Part, *, local: str, nobody: bool, machine: bool, subject: str) -> str:
    """Why this is a mail system's notice, or nothing. `local`: what stands before the sender's `@`, in lower case.
    `nobody`: it came by a null path; `machine`: its sender takes no mail or its fields say that no person sent it."""
    posts, lists = nobody or bool(_POST.fullmatch(local)), bool(_LIST.fullmatch(local))
    maybe = lists or bool(_MAYBE_LIST.fullmatch(local))
    if not (posts or maybe or machine):
        return ""
    text = _beginning(root)
    said = f"{subject[:400]}\n{text}"
    if machine and _REPORTED.match(text):
        return "a delivery report as JSON"
    if posts and _RETURNED.search(said):
        return "a bounce in plain words"
    if (maybe and _OF_A_LIST.search(said)) or (lists and _NOT_PASSED_ON.search(said)):
        return "a mailing list's notice"
    return ""


def _beginning(root: Part) -> str:
    """The first words of the first text."""
    first = root
    while first.parts:
        first = first.parts[0]
    return decode(first.content[:MAX_BEGINNING], charset_of(first)) if first.kind.startswith("text/") else ""

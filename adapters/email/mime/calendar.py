"""What does an invitation say? An iCalendar file in; its summary and description out, as words.

An invitation that came without any other text says what the sender wants there (RFC 5545; the older form with
quoted-printable too). Only the first events are read, and no more than `MAX_BYTES`.
"""

from __future__ import annotations

import binascii
import re

from adapters.email.mime.charset import clean_text, decode

__all__ = ["words"]

MAX_BYTES = 256 * 1024
MAX_EVENTS = 5

_SAID = (b"SUMMARY", b"DESCRIPTION")
_FOLD = re.compile(rb"\r?\n[ \t]")
_SOFT_BREAK = re.compile(rb"=\r?\n")
_PROPERTY = re.compile(rb'([A-Za-z-]{1,40})((?:;[^:;"\r\n]{0,200}(?:"[^"\r\n]{0,500}")?){0,20}):(.*)', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def words(content: bytes, charset: str = "") -> str:
    """The summaries and descriptions of the first events or tasks, each once; empty where there are none. Total."""
    said: dict[str, None] = {}
    events = 0
    inside: list[bytes] = []
    for line in _FOLD.sub(b"", _unbroken(content[:MAX_BYTES])).splitlines():
        found = _PROPERTY.match(line)
        if found is None:
            continue
        name, value = found[1].upper(), found[3].strip()
        if name == b"BEGIN":
            inside.append(value.upper())
            events += value.upper() in (b"VEVENT", b"VTODO")
            if events > MAX_EVENTS:
                break
        elif name == b"END" and inside:
            inside.pop()
        elif name in _SAID and inside and inside[-1] in (b"VEVENT", b"VTODO"):
            said[_text(found[2], value, charset)] = None
    return "\n\n".join(filter(None, said))


def _unbroken(content: bytes) -> bytes:
    """The lines of the older form, which ends a line that goes on with `=`."""
    return _SOFT_BREAK.sub(b"", content) if b"quoted-printable" in content[:MAX_BYTES].lower() else content


def _text(parameters: bytes, value: bytes, charset: str) -> str:
    """A property's value without its escapes."""
    if b"quoted-printable" in parameters.lower():
        value = binascii.a2b_qp(value)
    named = re.search(rb"(?i)charset=([a-z0-9_.:-]{1,60})", parameters)
    text = decode(value, named[1].decode("ascii") if named else charset)
    return clean_text(_ESCAPED.sub(lambda escaped: "\n" if escaped[1] in "nN" else escaped[1], text)).strip()

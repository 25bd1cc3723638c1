"""What does a mail call a file that it carries? A part's fields in, the name as its sender wrote it out.

Senders write it in four ways: RFC 2231 (in one piece or in numbered sections), encoded words where none are allowed,
raw 8-bit characters, plain ASCII. The result is still a stranger's text; `router.wire.attachment` makes a safe name of
it.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from adapters.email.mime.charset import decode, header
from adapters.email.mime.structure import Part, parameters

__all__ = ["default_name", "file_name"]

MAX_SECTIONS = 100
_SECTION = re.compile(rb"(?:file)?name\*(\d{1,3})(\*?)")
_EXTENSIONS = {
    "message/rfc822": ".eml", "text/calendar": ".ics", "text/csv": ".csv", "text/vcard": ".vcf", "text/x-vcard": ".vcf",
    "application/pdf": ".pdf", "application/zip": ".zip",
    "image/jpeg": ".jpg", "image/png": ".png", "image/gif": ".gif",
    "image/webp": ".webp", "image/heic": ".heic", "text/plain": ".txt", "text/html": ".html", "audio/amr": ".amr",
    "message/delivery-status": ".txt", "text/rfc822-headers": ".txt", "video/mp4": ".mp4",
}  # fmt: skip


def file_name(part: Part) -> str:
    """The name a part gives its file, from Content-Disposition, else Content-Type, else empty."""
    for field in (b"content-disposition", b"content-type"):
        value = part.fields.first(field)
        if b"name" not in value.lower():
            continue
        given = parameters(value)
        found = _extended(given) or _plain(given)
        if found:
            return found
    return ""


def default_name(kind: str, number: int) -> str:
    """A name for a file that came without one: `part-2.jpg`."""
    return f"part-{number}{_EXTENSIONS.get(kind, '')}"


def _plain(given: dict[bytes, bytes]) -> str:
    value = given.get(b"filename") or given.get(b"name") or b""
    return header(value) if value else ""


def _extended(given: dict[bytes, bytes]) -> str:
    """RFC 2231: `filename*=charset'language'percent-encoded`, also in numbered sections."""
    whole = given.get(b"filename*") or given.get(b"name*")
    if whole:
        return _percent(whole)
    sections: dict[int, bytes] = {}
    for name, value in given.items():
        matched = _SECTION.fullmatch(name)
        if matched and int(matched[1]) < MAX_SECTIONS:
            sections.setdefault(int(matched[1]), value if matched[2] else value.replace(b"%", b"%25"))
    return _percent(b"".join(sections[n] for n in sorted(sections))) if 0 in sections else ""


def _percent(value: bytes) -> str:
    charset, first, rest = value.partition(b"'")
    _, second, text = rest.partition(b"'")
    if not (first and second):
        charset, text = b"", value
    return decode(unquote_to_bytes(text), charset.decode("ascii", "replace"))

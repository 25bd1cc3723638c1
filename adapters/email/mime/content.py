"""What does a mail contain? A tree of parts in; text to read, HTML as it was sent, and files out.

Of alternatives one is the text (`_alternatives`); a text part with a file name is a file. What wraps a mail's text is
opened: opaque signatures (`_smime`), TNEF (`_tnef`), invitations (`_calendar`), flowed lines and files between lines
(`_wrapped_text`). HTML is kept as it came, not made safe: whoever shows it must do that. Content of files is decoded
and hashed, never opened.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from adapters.email.mime import calendar, smime, tnef
from adapters.email.mime.alternatives import suffices, to_read
from adapters.email.mime.charset import clean_text, decode
from adapters.email.mime.filename import default_name, file_name
from adapters.email.mime.structure import Part, parameter, parameters, parse
from adapters.email.mime.wrapped_text import unflowed, without_files
from router.errors import InvalidPayload
from router.model import Attachment
from router.text.own_words.cut import plain
from router.text.secrets.redact import redact
from router.wire import attachment

__all__ = ["charset_of", "content_of"]

MAX_TAGS = 20_000
#: Signed messages and TNEF streams of one mail that are opened.
MAX_OPENED = 5

_TAG = re.compile(r"<[^<>]*>")
_TEXTS = frozenset({"text/plain", "text/html", "text/enriched", "text/richtext"})
_SIGNED = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
_WRAPPED = frozenset({"application/ms-tnef", "application/vnd.ms-tnef"})
_ANY = frozenset({"application/octet-stream", *_SIGNED, *_WRAPPED})


def content_of(root: Part) -> tuple[str, str, tuple[Attachment, ...]]:
    """The text, the HTML as it was sent, and the files."""
    reading = _Reading()
    if root.kind in _TEXTS and not root.parts:
        texts = [reading.text_of(root)]
    else:
        texts = [text for text in reading.texts(root) if text] or reading.otherwise()
    files = enumerate(reading.files[: attachment.MOST], 1)
    found = (_attached(file, number) if isinstance(file, Part) else file for number, file in files)
    return "\n\n".join(texts), "\n".join(reading.pages), tuple(found)


def _attached(part: Part, number: int) -> Attachment:
    return attachment.of_bytes(part.content, file_name(part) or default_name(part.kind, number), _type(part))


def _type(part: Part) -> str:
    """The media type of a file; what was written with a secret in it is none."""
    written = part.fields.first(b"content-type").partition(b";")[0]
    return "" if redact(decode(written[:200])).found else part.kind


class _Reading:
    """One walk over a mail: the pages and files that it passed, and texts that count where nothing else is said."""

    def __init__(self) -> None:
        self.pages: list[str] = []
        self.files: list[Part | Attachment] = []
        self._wrapped: list[tnef.Tnef] = []
        self._opened = 0

    def texts(self, part: Part, beside: str = "") -> Iterator[str]:
        """The texts of a part in reading order; `beside`: the plain text that stands for the same."""
        if part.kind == "multipart/alternative":
            yield from self._alternatives(part, beside)
        elif part.parts:
            for child in part.parts:
                yield from self.texts(child, beside)
        elif part.kind in _TEXTS and not _is_file(part):
            yield self.text_of(part, beside)
        elif not self._opens(part):
            self.files.append(part)
        elif _is_called(part, _WRAPPED, "winmail.dat"):
            self._unwrap(part)
        else:
            yield from self._signed(part, beside)

    def otherwise(self) -> list[str]:
        """The texts of a mail that says nothing in the usual places: of shown files, of TNEF, of an invitation."""
        parts = [file for file in self.files if isinstance(file, Part)]
        shown = [part for part in parts if part.kind in ("text/plain", "text/html") and _is_shown(part)]
        texts = [self.text_of(part) for part in shown]
        for wrapped in self._wrapped if not any(texts) else ():
            texts.append(wrapped.text or self._page(wrapped.html))
        if not any(texts):
            texts = [calendar.words(p.content, charset_of(p)) for p in parts if p.kind == "text/calendar"][:MAX_OPENED]
        return [text for text in texts if text]

    def text_of(self, part: Part, beside: str = "") -> str:
        """The words of one part; none of a page whose plain text suffices."""
        if part.kind == "text/html":
            return self._page(_decoded(part), beside)
        text, files = without_files(_decoded(part))
        self.files += [attachment.of_bytes(content, name) for name, content in files]
        return text.strip()

    def _alternatives(self, part: Part, beside: str) -> Iterator[str]:
        """Of alternatives the plain one or the last of the others (the richest), whichever says what was meant."""
        plain_text = ""
        for child in part.parts:
            if child.kind == "text/plain" and not plain_text and not _is_file(child):
                plain_text = self.text_of(child)
        rich = [child for child in part.parts if child.kind != "text/plain" or _is_file(child)]
        others = [[text for text in self.texts(child, plain_text or beside) if text] for child in rich]
        richest = next((texts for texts in reversed(others) if texts), [])
        if plain_text and richest:
            richest = [to_read(plain_text, "\n\n".join(richest))]
        yield from richest or [plain_text]

    def _page(self, html: str, beside: str = "") -> str:
        """Keep a page and read its words. One with more tags than any person writes is read without its structure and
        not kept (the raw has it): parsers of HTML take quadratic time for what is nested without end."""
        kept = html.count("<") <= MAX_TAGS
        if kept:
            self.pages.append(html)
        if beside and suffices(beside, html):
            return ""
        return plain(html).strip() if kept else " ".join(_TAG.sub(" ", html).split())

    def _opens(self, part: Part) -> bool:
        """Is a part one that wraps others, and may it still be opened?"""
        wraps = part.kind in _ANY and (
            _is_called(part, _WRAPPED, "winmail.dat") or _is_called(part, _SIGNED, "smime.p7m")
        )
        self._opened += wraps
        return wraps and self._opened <= MAX_OPENED

    def _unwrap(self, part: Part) -> None:
        """The files of a TNEF stream; it stays a file itself where not all of it is read."""
        found = tnef.read(part.content)
        if found is None or not found.whole:
            self.files.append(part)
        if found is not None:
            self._wrapped.append(found)
            self.files += [attachment.of_bytes(file.content, file.name, file.type) for file in found.files]

    def _signed(self, part: Part, beside: str) -> Iterator[str]:
        """The texts of an opaquely signed message, which stays a file with its signature."""
        self.files.append(part)
        content = smime.signed_content(part.content)
        try:
            inner = parse(content) if content else None
        except InvalidPayload:
            inner = None
        if inner is not None:
            yield from self.texts(inner, beside)


def charset_of(part: Part) -> str:
    """The charset that a part declares, or the first text in it."""
    while part.parts:
        part = part.parts[0]
    return parameter(parameters(part.fields.first(b"content-type")), b"charset").decode("ascii", "replace")


def _decoded(part: Part) -> str:
    text = clean_text(decode(part.content, charset_of(part)))
    given = parameters(part.fields.first(b"content-type")) if part.kind == "text/plain" else {}
    return unflowed(text) if given.get(b"delsp", b"").lower() == b"yes" else text


def _is_called(part: Part, kinds: frozenset[str], name: str) -> bool:
    """Is a part of such a kind, or a file without a kind that has this name?"""
    return part.kind in kinds or (part.kind in _ANY and file_name(part).lower() == name)


def _is_file(part: Part) -> bool:
    """Is a text part meant as a file? (The only part of a mail is its text, whatever it is called.)"""
    return not _is_shown(part) or bool(file_name(part))


def _is_shown(part: Part) -> bool:
    """Is a part to be shown within the mail? Where there is no other text, it is the text even if it is a file."""
    return part.fields.first(b"content-disposition").lstrip()[:10].lower() != b"attachment"

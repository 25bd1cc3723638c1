"""What does a mail contain? A tree of parts in; text to read, HTML as it was sent, and files out.

Of alternatives one is the text and the others are not read again; a text part with a file name is a file. HTML is kept
as it came, not made safe: whoever shows it must do that. Content of files is decoded and hashed, never opened.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from adapters._charset import clean_text, decode
from adapters._filename import default_name, file_name
from adapters._structure import Part, parameter, parameters
from router import attachment
from router.model import Attachment
from router.text.own_words import plain
from router.text.redact import redact

__all__ = ["charset_of", "content_of"]

MAX_TAGS = 20_000

_TAG = re.compile(r"<[^<>]*>")
_TEXTS = frozenset({"text/plain", "text/html", "text/enriched", "text/richtext"})


def content_of(root: Part) -> tuple[str, str, tuple[Attachment, ...]]:
    """The text, the HTML as it was sent, and the files."""
    pages: list[str] = []
    files: list[Part] = []
    if root.kind in _TEXTS and not root.parts:
        texts = [_page(_decoded(root), pages, read=True) if root.kind == "text/html" else _decoded(root).strip()]
    else:
        texts = [text for text in _texts(root, pages, files, read=True) if text]
        texts = texts or [_decoded(part).strip() for part in files if part.kind == "text/plain" and _is_shown(part)]
    found = []
    for number, part in enumerate(files[: attachment.MOST], 1):
        name = file_name(part) or default_name(part.kind, number)
        found.append(attachment.of_bytes(part.content, name, _type(part)))
    return "\n\n".join(texts), "\n".join(pages), tuple(found)


def _type(part: Part) -> str:
    """The media type of a file; what was written with a secret in it is none."""
    written = part.fields.first(b"content-type").partition(b";")[0]
    return "" if redact(decode(written[:200])).found else part.kind


def _texts(part: Part, pages: list[str], files: list[Part], *, read: bool) -> Iterator[str]:
    """The texts of a part in reading order, its pages and files besides. `read` is false for HTML whose plain
    alternative was read already."""
    if part.kind == "multipart/alternative":
        yield from _alternatives(part, pages, files, read=read)
    elif part.parts:
        for child in part.parts:
            yield from _texts(child, pages, files, read=read)
    elif part.kind == "text/html" and not _is_file(part):
        yield _page(_decoded(part), pages, read=read)
    elif part.kind in _TEXTS and not _is_file(part):
        yield _decoded(part).strip()
    else:
        files.append(part)


def _alternatives(part: Part, pages: list[str], files: list[Part], *, read: bool) -> Iterator[str]:
    """Of alternatives the plain one, unless it is empty; of several others the last (the richest)."""
    plain_text = ""
    for child in part.parts:
        if child.kind == "text/plain" and not plain_text and not _is_file(child):
            plain_text = _decoded(child).strip()
    rich = [child for child in part.parts if child.kind != "text/plain" or _is_file(child)]
    others = [[t for t in _texts(child, pages, files, read=read and not plain_text) if t] for child in rich]
    if plain_text:
        yield plain_text
    else:
        yield from next((texts for texts in reversed(others) if texts), [])


def charset_of(part: Part) -> str:
    """The charset that a part declares, or the first text in it."""
    while part.parts:
        part = part.parts[0]
    return parameter(parameters(part.fields.first(b"content-type")), b"charset").decode("ascii", "replace")


def _decoded(part: Part) -> str:
    return clean_text(decode(part.content, charset_of(part)))


def _page(html: str, pages: list[str], *, read: bool) -> str:
    """Keep a page and read its words. One with more tags than any person writes is read without its structure and
    not kept (the raw has it): parsers of HTML take quadratic time for what is nested without end."""
    if html.count("<") > MAX_TAGS:
        return " ".join(_TAG.sub(" ", html).split()) if read else ""
    pages.append(html)
    return plain(html).strip() if read else ""


def _is_file(part: Part) -> bool:
    """Is a text part meant as a file? (The only part of a mail is its text, whatever it is called.)"""
    return not _is_shown(part) or bool(file_name(part))


def _is_shown(part: Part) -> bool:
    """Is a part to be shown within the mail? Where there is no other text, it is the text even if it is a file."""
    return part.fields.first(b"content-disposition").lstrip()[:10].lower() != b"attachment"

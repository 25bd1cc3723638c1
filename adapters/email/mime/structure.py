"""How is a mail built? Raw bytes in, a tree of parts out, within limits that hold before anything is decoded.

One forward scan finds header fields and boundaries by offset; nothing is copied but header lines, nothing recurses
deeper than `MAX_DEPTH`. Fields stay bytes, because what encoding they are in is another question (`_charset`).
The standard library's parser answers the same for well-formed mail (a test holds them together) but has no limits,
fails on deep nesting and takes several times as long; faster packages decode fields too early to repair them.
"""

from __future__ import annotations

import binascii
import re
from codecs import BOM_UTF8
from itertools import islice
from urllib.parse import unquote_to_bytes

from adapters.email.mime.broken_head import Torn, in_lines
from adapters.email.mime.transfer import base64, uuencoded
from router.errors import InvalidPayload

__all__ = ["MAX_BYTES", "MAX_PARTS", "Fields", "Part", "head", "parameter", "parameters", "parse"]

MAX_BYTES = 25 * 1024 * 1024
MAX_DEPTH = 50
MAX_PARTS = 1_000
MAX_FIELD_LINES = 10_000
MAX_FIELD = 256 * 1024
MAX_PIECES = 100
MAX_PARAMETERS = 300

_PARAMETER = re.compile(rb';\s*([^\s=;"]+)\s*=\s*("[^"\\]*(?:\\.[^"\\]*)*"?|[^;]*)', re.DOTALL)
_KIND = re.compile(rb"\s*([A-Za-z0-9!#$&^_.+-]{1,127})/([A-Za-z0-9!#$&^_.+-]{1,127})")
_ENCODED = frozenset({b"base64", b"quoted-printable"})
_BARE_PARAMETER = re.compile(rb"[A-Za-z-]{1,40}(?:\*[0-9]{0,3}\*?)?=")
_OWN_ENCODING = re.compile(rb"^Content-Transfer-Encoding[ \t]*:", re.IGNORECASE | re.MULTILINE)
_ENCODING = re.compile(rb"[A-Za-z0-9-]+")
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_FOLDS = b" \t"
_UUENCODED = frozenset({b"x-uuencode", b"uuencode", b"x-uue", b"uue"})


class Fields:
    """Header fields of a mail or part: lower-case name to its values in order, unfolded, undecoded."""

    __slots__ = ("mended", "order", "values")

    def __init__(self) -> None:
        self.values: dict[bytes, list[bytes]] = {}
        self.order: list[bytes] = []
        #: Were they torn apart, so that other programs may read them in another way?
        self.mended = False

    def add(self, name: bytes, value: bytes) -> list[bytes]:
        """Add a field and return all its values; one whose name no mail program writes is kept under no name."""
        if b" " in name or b"\t" in name or not name.isascii():
            name = b""
        self.order.append(name)
        values = self.values.setdefault(name, [])
        values.append(value)
        return values

    def first(self, name: bytes) -> bytes:
        """The topmost value of a field, or nothing."""
        found = self.values.get(name)
        return found[0] if found else b""

    def every(self, name: bytes) -> list[bytes]:
        """All values of a field, topmost first."""
        return self.values.get(name, [])

    def __contains__(self, name: bytes) -> bool:
        return name in self.values


class Part:
    """A node of the tree: its fields, its media type in lower case, and where its body lies in the raw bytes."""

    __slots__ = ("end", "fields", "kind", "parts", "raw", "start")

    def __init__(self, raw: bytes, fields: Fields, kind: str, start: int, end: int) -> None:
        self.raw = raw
        self.fields = fields
        self.kind = kind
        self.start = start
        self.end = end
        self.parts: list[Part] = []

    @property
    def encoding(self) -> bytes:
        """The transfer encoding that the part declares, in lower case."""
        named = _ENCODING.search(self.fields.first(b"content-transfer-encoding"))
        return named.group().lower() if named else b""

    @property
    def content(self) -> bytes:
        """The body after its transfer encoding; what is broken in it is left out, never raised."""
        body = self.raw[self.start : self.end]
        encoding = self.encoding
        if encoding == b"base64":
            return base64(body, worded=self.kind.startswith("text/"))
        if encoding == b"quoted-printable":
            return binascii.a2b_qp(body)
        if encoding in _UUENCODED:
            return uuencoded(body)
        return body


class _Budget:
    """What one mail may still use: parts, header lines, bytes of multiparts that were encoded as a whole."""

    __slots__ = ("encoded", "lines", "parts")

    def __init__(self) -> None:
        self.lines = MAX_FIELD_LINES
        self.parts = MAX_PARTS
        self.encoded = MAX_BYTES

    def opened(self, part: Part) -> bytes:
        """The content of a multipart that was encoded as a whole, which no standard allows and some programs do."""
        self.encoded -= part.end - part.start
        return part.content if self.encoded >= 0 else b""


def parse(raw: bytes) -> Part:
    """The tree of a mail's parts. Raises `InvalidPayload` when the mail is empty or beyond a limit."""
    if len(raw) > MAX_BYTES:
        raise InvalidPayload(f"the mail has {len(raw)} bytes; at most {MAX_BYTES} are read")
    raw = in_lines(raw.removeprefix(BOM_UTF8))
    if not raw.strip(b"\r\n\t \x00"):
        raise InvalidPayload("the mail is empty; a mail has header fields, an empty line and a text")
    return _part(raw, 0, len(raw), 1, "text/plain", _Budget())


def head(raw: bytes) -> Fields:
    """The header fields alone, for who needs no more. Raises `InvalidPayload` beyond a limit."""
    raw = in_lines(raw.removeprefix(BOM_UTF8))
    return _fields(raw, 0, min(len(raw), MAX_BYTES), _Budget(), top=True)[0]


def _part(raw: bytes, start: int, end: int, depth: int, default: str, budget: _Budget) -> Part:
    """One part and all below it."""
    budget.parts -= 1
    if budget.parts < 0:
        raise InvalidPayload(f"the mail has more than {MAX_PARTS} parts")
    fields, body = _fields(raw, start, end, budget, top=depth == 1)
    declared = fields.first(b"content-type")
    matched = _KIND.match(declared) if declared else None
    kind = f"{matched[1].decode()}/{matched[2].decode()}".lower() if matched else default
    part = Part(raw, fields, kind, min(body, end), end)
    if kind.startswith("multipart/"):
        if depth > MAX_DEPTH:
            raise InvalidPayload(f"the mail nests more than {MAX_DEPTH} parts in one another")
        inner = "message/rfc822" if kind == "multipart/digest" else "text/plain"
        boundary = parameter(parameters(declared), b"boundary").rstrip()
        found = _split(raw, part.start, end, boundary)
        if part.encoding in _ENCODED and not any(_OWN_ENCODING.search(raw, *place) for place in found):
            raw = budget.opened(part)
            found = _split(raw, 0, len(raw), boundary)
        for first, last in found:
            part.parts.append(_part(raw, first, last, depth + 1, inner, budget))
        if not part.parts:
            part.kind = "text/plain"
    return part


def _fields(raw: bytes, at: int, end: int, budget: _Budget, *, top: bool) -> tuple[Fields, int]:
    """The header fields from `at` on, and where the body begins: behind the empty line, or at a line that is none.

    `top`: they are the mail's own, and are put together again where they were torn apart."""
    fields = Fields()
    torn = Torn(raw, end)
    values = [b""]
    folds: list[bytes] = []
    first = at
    while at < end:
        stop = raw.find(b"\n", at, end)
        stop = end if stop < 0 else stop
        line = raw[at:stop].strip(b"\r")
        budget.lines -= 1
        if budget.lines < 0:
            raise InvalidPayload(f"the mail has more than {MAX_FIELD_LINES} header lines")
        if line and ((line[0] in _FOLDS and (fields.order or not top)) or _goes_on(folds or values, line)):
            folds.append(line.strip())
            at = stop + 1
            continue
        if folds:
            _fold(values, folds)
        name, colon, value = line.partition(b":")
        if not colon and (at > first or not line.lstrip(b">").startswith(b"From ")):
            onward = torn.resumed(at, stop + 1, fields.values) if top else 0
            if not onward:
                return _within(fields, at - first), at if line else stop + 1
            fields.mended = True
            if line:
                folds.append(line.strip())
            at = onward
            continue
        values = fields.add(name.strip().lower() if colon else b"", value.strip())
        at = stop + 1
    if folds:
        _fold(values, folds)
    return _within(fields, end - first), end


def _goes_on(above: list[bytes], line: bytes) -> bool:
    """Is a line the rest of a field, although it lost its indentation: a parameter below a semicolon?"""
    return above[-1].endswith(b";") and _BARE_PARAMETER.match(line) is not None


def _fold(values: list[bytes], folds: list[bytes]) -> None:
    """Join the folded lines to the last field's value."""
    values[-1] = b" ".join((values[-1], *folds))
    folds.clear()


def _within(fields: Fields, size: int) -> Fields:
    """The fields, if none is beyond its limit."""
    if size > MAX_FIELD and any(len(value) > MAX_FIELD for values in fields.values.values() for value in values):
        raise InvalidPayload(f"a header field of the mail has more than {MAX_FIELD} bytes")
    return fields


def _split(raw: bytes, start: int, end: int, boundary: bytes) -> list[tuple[int, int]]:
    """Where the parts between the boundary lines begin and end; a missing last boundary ends at the end."""
    if not boundary:
        return []
    mark = b"--" + boundary
    found: list[tuple[int, int]] = []
    begin = -1
    at = start
    while (hit := raw.find(mark, at, end)) >= 0:
        at = hit + len(mark)
        if hit > start and raw[hit - 1] not in b"\n":
            continue
        stop = raw.find(b"\n", at, end)
        stop = end if stop < 0 else stop
        rest = raw[at:stop].strip()
        if rest not in (b"", b"--"):
            continue
        if begin >= 0:
            last = hit - 1
            found.append((begin, max(begin, last - 1 if raw[last - 1 : last] == b"\r" else last)))
        begin = -1 if rest else stop + 1
        if begin < 0:
            break
        at = min(begin, end)
        if len(found) > MAX_PARTS:
            raise InvalidPayload(f"the mail has more than {MAX_PARTS} parts")
    if 0 <= begin <= end:
        found.append((begin, end))
    return found


def parameters(value: bytes) -> dict[bytes, bytes]:
    """The parameters of a structured field (`; name=value`), names in lower case, quotes removed; the first wins."""
    found: dict[bytes, bytes] = {}
    for matched in islice(_PARAMETER.finditer(value), MAX_PARAMETERS):
        name, text = matched[1].lower(), matched[2].strip()
        if text.startswith(b'"'):
            text = text[1:-1] if len(text) > 1 and text.endswith(b'"') else text[1:]
            if b"\\" in text:
                text = _ESCAPED.sub(rb"\1", text)
        found.setdefault(name, text)
    return found


def parameter(given: dict[bytes, bytes], name: bytes) -> bytes:
    """One parameter in whichever way it is written: plain, encoded, or in numbered pieces (RFC 2231)."""
    if name in given:
        return given[name]
    if name + b"*" in given:
        return unquote_to_bytes(given[name + b"*"].rpartition(b"'")[2])
    pieces: list[bytes] = []
    while len(pieces) < MAX_PIECES and (piece := given.get(b"%s*%d" % (name, len(pieces)))) is not None:
        pieces.append(piece)
    return b"".join(pieces)

"""What does an opaquely signed mail hold? The bytes of a `signed-data` message (RFC 5652) in, the signed bytes out.

Only the wrapping is taken off: whether the signature is good is not asked here, and nothing rests on it. Read as BER:
lengths may be left open and strings come in pieces, as programs write them that sign while they send. A value is never
nested deeper than `MAX_DEPTH` nor looked into more than `MAX_VALUES` times.
"""

from __future__ import annotations

from collections.abc import Iterator

from router.value import Value

__all__ = ["signed_content"]

MAX_DEPTH = 20
MAX_VALUES = 200_000

_SEQUENCE, _EXPLICIT, _OCTETS, _OCTETS_IN_PIECES, _OBJECT_IDENTIFIER = 0x30, 0xA0, 0x04, 0x24, 0x06
_SIGNED_DATA = bytes.fromhex("2a864886f70d010702")


class _Malformed(ValueError):
    """The bytes are no BER, or beyond a limit."""


class _Element(Value, frozen=True, kw_only=True):
    """One value: its tag, and where its content begins and ends and the next value begins."""

    tag: int
    start: int
    end: int
    next: int


class _Reader:
    """Reads values at places of one buffer, within the limits of one message."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self._left = MAX_VALUES
        self._closes: dict[int, int] = {}

    def element(self, at: int, end: int, depth: int = 0) -> _Element:
        """The value that begins at `at` and lies before `end`."""
        self._left -= 1
        if self._left < 0 or depth > MAX_DEPTH or at + 2 > end:
            raise _Malformed
        tag, length = self.content[at], self.content[at + 1]
        start = at + 2
        if length == 0x80:
            close = self._closed(start, end, depth)
            return _Element(tag=tag, start=start, end=close, next=close + 2)
        if length > 0x80:
            octets = length - 0x80
            length = int.from_bytes(self.content[start : start + octets], "big") if octets <= 4 else end
            start += octets
        if start + length > end:
            raise _Malformed
        return _Element(tag=tag, start=start, end=start + length, next=start + length)

    def _closed(self, at: int, end: int, depth: int) -> int:
        """Where a value of open length ends: behind the values in it, at two octets of zero. Looked for once."""
        start = at
        if start not in self._closes:
            while self.content[at : at + 2] != b"\x00\x00":
                at = self.element(at, end, depth + 1).next
            self._closes[start] = at
        return self._closes[start]

    def within(self, outer: _Element) -> Iterator[_Element]:
        """The values in a value, in order."""
        at = outer.start
        while at < outer.end:
            found = self.element(at, outer.end)
            yield found
            at = found.next

    def octets(self, outer: _Element, depth: int = 0) -> Iterator[bytes]:
        """The pieces of an octet string."""
        if outer.tag == _OCTETS:
            yield self.content[outer.start : outer.end]
        elif outer.tag == _OCTETS_IN_PIECES and depth < MAX_DEPTH:
            for piece in self.within(outer):
                yield from self.octets(piece, depth + 1)
        else:
            raise _Malformed


def signed_content(message: bytes) -> bytes | None:
    """The bytes that were signed; None for anything but a signed message that holds them. Total."""
    reader = _Reader(message)
    try:
        kind, wrapped = _two(reader, reader.element(0, len(message)))
        if message[kind.start : kind.end] != _SIGNED_DATA or wrapped.tag != _EXPLICIT:
            return None
        [signed] = reader.within(wrapped)
        _version, _digests, enclosed, *_ = reader.within(signed)
        _, content = _two(reader, enclosed)
        [octets] = reader.within(content)
        return b"".join(reader.octets(octets)) or None
    except ValueError:  # also where there are more or fewer values than the form has
        return None


def _two(reader: _Reader, outer: _Element) -> tuple[_Element, _Element]:
    """An identifier and what it names."""
    kind, content = reader.within(outer)
    if outer.tag != _SEQUENCE or kind.tag != _OBJECT_IDENTIFIER:
        raise _Malformed
    return kind, content

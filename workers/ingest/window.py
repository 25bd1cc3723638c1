"""Which recorded raws are put in order of time together? Windows of many, whose bodies wait in a file.

A record has a natural order, whatever its files are called, and the same bytes twice in one window are two. So a window
is large: up to 20,000 raws, fewer where they hold more than 128 MB. What its bodies take beyond some memory lies in a
file without a name, which ends with the window.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from tempfile import SpooledTemporaryFile

from msgspec.structs import replace

from router.ports import Raw

__all__ = ["windows"]

WINDOW, WINDOW_BYTES = 20_000, 128 << 20
#: Bytes of bodies that are held in memory.
HELD = 16 << 20


def windows(raws: Iterable[Raw]) -> Iterator[Iterator[Raw]]:
    """The raws, window after window, each in order of time. Use one up before you ask for the next."""
    coming = iter(raws)
    while True:
        with closing(SpooledTemporaryFile[bytes](max_size=HELD)) as bodies:
            places = _filled(coming, bodies)
            if not places:
                return
            places.sort(key=lambda place: place[0].received_at)
            yield _read(places, bodies)


def _filled(coming: Iterator[Raw], bodies: SpooledTemporaryFile[bytes]) -> list[tuple[Raw, int, int]]:
    """The raws of the next window without their bodies, and where each body begins and how long it is."""
    places: list[tuple[Raw, int, int]] = []
    begin = 0
    for raw in coming:
        size = bodies.write(raw.body)
        places.append((replace(raw, body=b""), begin, size))
        begin += size
        if len(places) >= WINDOW or begin >= WINDOW_BYTES:
            break
    return places


def _read(places: list[tuple[Raw, int, int]], bodies: SpooledTemporaryFile[bytes]) -> Iterator[Raw]:
    for raw, begin, size in places:
        bodies.seek(begin)
        yield replace(raw, body=bodies.read(size))

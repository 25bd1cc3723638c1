"""How is a raw of many parts translated, so that one odd part never takes the others down?

In: the parts of a raw, and how one of them is read. Out: a `Translation`: the messages of the good parts, as they would
be without the odd ones, and a mistake with its index for each of those. `InvalidPayload` where nothing can be read.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import msgspec

from router.errors import InvalidPayload
from router.model import Message
from router.ports import Announced, Translation
from router.wire.message import all_of

__all__ = ["each", "reading"]

_T = TypeVar("_T")


def each(parts: Sequence[_T], read: Callable[[_T, int], Message | Announced | None], first: int = 0) -> Translation:
    """Read every part by `read(part, index)`, indices from `first` on; None says nothing. Raises InvalidPayload when
    there are parts and not one of them can be read."""
    messages: list[Message] = []
    mistakes: list[InvalidPayload] = []
    announced: list[Announced] = []
    for index, part in enumerate(parts, first):
        try:
            found = read(part, index)
        except InvalidPayload as mistake:
            mistakes.append(InvalidPayload(f"Event {index}: {mistake.reason}", index=index, path=mistake.path))
            continue
        if isinstance(found, Announced):
            announced.append(found)
        elif found is not None:
            messages.append(found)
    if mistakes and len(mistakes) == len(parts):
        raise all_of(mistakes)
    return Translation(messages, mistakes, announced)


@contextlib.contextmanager
def reading(what: str) -> Iterator[None]:
    """Whatever goes wrong while a piece of JSON is read becomes an InvalidPayload: it is no `what` ("event of X")."""
    try:
        yield
    except msgspec.DecodeError as error:
        reason, _, path = str(error).partition(" - at ")
        raise InvalidPayload(f"This is no {what}: {reason}.", path=path.strip("`") or None) from error
    except UnicodeDecodeError as error:
        raise InvalidPayload(f"This is no {what}: its text is not UTF-8.") from error
    except RecursionError as error:
        raise InvalidPayload(f"This is no {what}: it is nested too deep.") from error
    except (OverflowError, OSError, ValueError) as error:
        raise InvalidPayload(f"This is no {what}: it has no id, or an impossible date.") from error

"""How does the product make a file that only its owner may read, whatever the umask is?

In: a path. Out: an open descriptor, or an `opener` for `open`. A file that is made has mode 600 before a byte stands in
it; one that is there keeps its mode, and `exposed` says which of those others may read.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

__all__ = ["MODE", "descriptor", "exposed", "opener", "write"]

#: Its owner may read and write it, nobody else may do anything.
MODE: Final = 0o600
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def descriptor(path: str | os.PathLike[str], flags: int = os.O_RDWR) -> int:
    """Open a file, made with mode 600 where it is not there yet (with `O_EXCL` only then). Raises OSError."""
    flags |= os.O_CLOEXEC
    if not flags & os.O_EXCL:
        try:
            return os.open(path, flags & ~os.O_CREAT)
        except FileNotFoundError:
            pass
    try:
        made = os.open(os.path.realpath(path), flags | os.O_CREAT | os.O_EXCL, MODE)
    except FileExistsError:
        if flags & os.O_EXCL:
            raise
        return os.open(path, flags & ~os.O_CREAT)  # somebody else made it meanwhile
    os.fchmod(made, MODE)
    return made


def opener(path: str, flags: int) -> int:
    """For `open(…, opener=opener)`."""
    return descriptor(path, flags)


def write(path: Path, text: str) -> None:
    """The whole text of a file. Raises OSError."""
    with open(path, "w", encoding="utf-8", opener=opener) as file:
        file.write(text)


def exposed(paths: Iterable[Path]) -> Iterator[tuple[Path, int]]:
    """Those of these files, with their modes, that somebody else than their owner may read or change."""
    for path in paths:
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
        except OSError:
            continue
        if mode & _OTHERS:
            yield path, mode

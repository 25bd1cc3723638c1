"""Where do the forms of a lexicon stand in a text?

In: forms as symbols (characters of Chinese, stems of English, `GAP` between parts) with what each names, then the
symbols of a text. Out: each name with the first symbol and the one after the last. A tree is built once and read for
every message, so a step down is a look-up, and a gap is only crossed where what may follow it stands within its reach.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple, TypeAlias

__all__ = ["BREAKS", "GAP", "Found", "Tree"]

#: What stands between the parts of a form that need not be neighbours.
GAP: Final = "…"
#: Marks that end a clause; no gap reaches over them.
BREAKS: Final = frozenset(",.!?;:\n")
#: A name, the first symbol and the one after the last.
Found: TypeAlias = tuple[str, int, int]
#: Stands behind the last symbol of a text, so that no step needs to ask whether there is one.
_END: Final = ""


class _Node(NamedTuple):
    """What ends here, what may follow behind a gap, what may follow at once."""

    names: list[str]
    far: dict[str, _Node]
    near: dict[str, _Node]


class Tree:
    """The forms of one language, by their first symbols. `reach` is how many symbols a gap may be long."""

    def __init__(self, reach: int) -> None:
        self._reach = reach
        self._roots: dict[str, _Node] = {}

    def add(self, path: Sequence[str], name: str) -> None:
        """Add a form; one that begins with a gap or has no symbol is none."""
        if not path or path[0] == GAP:
            return
        nodes, node = self._roots, None
        for symbol in path:
            if symbol == GAP:
                assert node is not None  # noqa: S101  (no form begins with a gap)
                nodes = node.far
                continue
            node = nodes.get(symbol)
            if node is None:
                node = nodes[symbol] = _Node([], {}, {})
            nodes = node.near
        if node is not None and name not in node.names:
            node.names.append(name)

    def find(self, symbols: list[str]) -> list[Found]:
        """Every form in these symbols, in the order of their first symbols."""
        found: list[Found] = []
        symbols = [*symbols, _END]
        for first, node in enumerate(map(self._roots.get, symbols)):
            if node is not None:
                names, far, near = node
                if names or far or symbols[first + 1] in near:
                    self._follow(node, symbols, first, first + 1, found)
        return found

    def _follow(self, node: _Node | None, symbols: list[str], first: int, at: int, found: list[Found]) -> None:
        """Follow the symbols from `at` down the tree."""
        while node is not None:
            names, far, near = node
            for name in names:
                found.append((name, first, at))
            if far and not far.keys().isdisjoint(symbols[at : at + self._reach + 1]):
                for place, symbol in enumerate(symbols[at : at + self._reach + 1], at):
                    if symbol in far:
                        self._follow(far[symbol], symbols, first, place + 1, found)
                    if symbol in BREAKS:
                        break
            node = near.get(symbols[at])
            at += 1

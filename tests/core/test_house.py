"""The rooms of the code: who may import whom holds for every module, not for a list of them."""

from __future__ import annotations

from collections.abc import Iterator

import grimp

#: What still imports each other, until the acts of the desk leave the store.
KNOWN = [
    "router.store.act", "router.store.answer", "router.store.automatic", "router.store.ledger",
    "router.store.recipients", "router.store.recorded_identity",
]  # fmt: skip


def circles(graph: grimp.ImportGraph) -> Iterator[list[str]]:
    """The modules of which each reaches every other one, a list for each circle."""
    reached = {module: graph.find_upstream_modules(module) for module in graph.modules}
    seen: set[str] = set()
    for module in sorted(graph.modules):
        circle = {other for other in reached[module] if module in reached[other]}
        if circle and module not in seen:
            seen |= circle | {module}
            yield sorted(circle | {module})


def test_no_module_imports_itself_through_others() -> None:
    """A circle can only be understood whole; the graph of all imports has none but the one that is named here."""
    graph = grimp.build_graph("router", "adapters", "workers")
    assert list(circles(graph)) == [KNOWN]

"""The rooms of the code: who may import whom holds for every module, not for a list of them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import grimp
from radon.complexity import cc_visit
from radon.visitors import Function

from router.deadlines.promise import METRICS
from router.routing.condition import FLAGS
from router.routing.operators import OPERATORS


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
    """A circle can only be understood whole; the graph of all imports has none."""
    graph = grimp.build_graph("router", "adapters", "workers")
    assert list(circles(graph)) == []


ROOT = Path(__file__).parents[2]
MOST_MODULES = 16
MOST_COMPLEX = 15
#: Rooms that are rebuilt: their functions are counted when that is done.
NOT_YET_COUNTED = tuple(
    f"router/{room}" for room in ("store", "desk", "conversation", "match", "policy", "deadlines")
)
#: Functions with more ways through them, `and` and `or` counted, than one should have; this list only gets shorter.
TOO_COMPLEX = {
    "adapters.email.automatic._automatic": 22,
    "adapters.email.mime.content._Reading._alternatives": 17,
    "adapters.email.mime.mail._author": 16,
    "adapters.email.mime.structure._fields": 20,
    "adapters.email.mime.tnef._take": 17,
    "adapters.email.mime.transfer.base64": 17,
    "adapters.kit.signature.standard": 16,
    "adapters.line._message": 18,
    "adapters.messenger.event._of_kind": 16,
    "adapters.messenger.event._of_person": 17,
    "adapters.phone.signature.genuine": 18,
    "adapters.telegram.update._of_post": 24,
    "router.routing.condition._unfitting": 18,
    "router.routing.pattern._walk": 17,
    "router.text.own_words.html._render": 21,
    "router.text.own_words.quotes.is_device": 16,
    "router.text.own_words.quotes.speaks": 17,
    "router.text.secrets.announced._behind": 21,
    "router.text.secrets.announced._is_password": 20,
    "router.text.secrets.redact._secrets": 19,
    "router.text.secrets.seams.whole": 18,
    "router.text.secrets.seeds._runs": 20,
    "router.text.secrets.seeds.seeds": 16,
    "workers.cli.config.check.check": 16,
    "workers.lab.evaluate.authors._material": 16,
    "workers.lab.evaluate.chats._figures": 17,
    "workers.lab.evaluate.second_matters._figures": 23,
    "workers.lab.labelled._labelled": 16,
}


def complexities() -> dict[str, int]:
    """The functions with more ways through them than one should have, in the rooms that are counted."""
    found = {}
    for package in ("router", "adapters", "workers"):
        for file in sorted((ROOT / package).rglob("*.py")):
            place = file.relative_to(ROOT).as_posix()
            if not place.startswith(NOT_YET_COUNTED):
                for block in cc_visit(file.read_text("utf-8")):
                    if isinstance(block, Function) and block.complexity > MOST_COMPLEX:
                        found[f"{place[:-3].replace('/', '.')}.{block.fullname}"] = block.complexity
    return found


def test_no_function_has_too_many_ways_through_it() -> None:
    """Conditions are read one by one: at most 15 ways, `and` and `or` counted, but where it is named here."""
    found = complexities()
    assert {name: ways for name, ways in found.items() if ways > TOO_COMPLEX.get(name, MOST_COMPLEX)} == {}
    assert sorted(TOO_COMPLEX.keys() - found.keys()) == []


def test_a_folder_can_be_taken_in_at_a_glance() -> None:
    """Adapters and the command line have at most 16 modules a folder."""
    folders = {file.parent for room in ("adapters", "workers") for file in (ROOT / room).rglob("*.py")}
    many = {str(folder.relative_to(ROOT)): len(list(folder.glob("[!_]*.py"))) for folder in folders}
    assert {folder: count for folder, count in many.items() if count > MOST_MODULES} == {}


def test_the_core_names_no_channel() -> None:
    """Kinds of channels stand with their adapters: no module of the router holds a list of them."""
    chats = {"telegram", "x", "messenger", "wechat", "line", "webhook"}
    for file in sorted((ROOT / "router").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, (ast.Tuple, ast.List, ast.Set, ast.Dict)):
                entries = node.keys if isinstance(node, ast.Dict) else node.elts
                words = {entry.value for entry in entries if isinstance(entry, ast.Constant)}
                assert len(words & chats) < 2, (file.relative_to(ROOT), node.lineno)


def test_each_closed_list_stands_once() -> None:
    """Metrics, operators and flags are listed in one module; what else needs them asks it."""
    homes: dict[str, set[str]] = {"metrics": set(), "operators": set(), "flags": set()}
    lists = {"metrics": set(METRICS), "operators": set(OPERATORS), "flags": set(FLAGS)}
    for file in sorted((ROOT / "router").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, (ast.Tuple, ast.List, ast.Set, ast.Dict)):
                entries = node.keys if isinstance(node, ast.Dict) else node.elts
                words = {entry.value for entry in entries if isinstance(entry, ast.Constant)}
                for name, known in lists.items():
                    if known <= words:
                        homes[name].add(file.relative_to(ROOT / "router").as_posix())
    assert homes == {
        "metrics": {"deadlines/promise.py"}, "operators": {"routing/operators.py"}, "flags": {"routing/condition.py"},
    }  # fmt: skip

"""State has one owner: what a conversation waits for changes in one module only."""

from __future__ import annotations

import ast
from datetime import UTC, datetime
from pathlib import Path

import pytest

import router
from router.conversation.acts import status_set
from router.conversation.transitions import as_busy, asked, brought_back, held
from router.model import Conversation, Status
from router.policy.values import Policy

OWNED = {"status", "holder", "queue", "waiting_since", "chases"}
ROOT = Path(router.__file__).parent.parent
AT = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
HELD = Conversation(number=1, contact=1, opened_at=AT, last_message_at=AT, waiting_since=AT, holder="li", queue="risk")


def replacing(path: Path) -> list[str]:
    """Where a module replaces one of the five: lines with the names."""
    found = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in ("replace", "force_setattr"):
            names = {keyword.arg for keyword in node.keywords if keyword.arg} & OWNED
            names |= {arg.value for arg in node.args if isinstance(arg, ast.Constant)} & OWNED
            found += [f"{path.relative_to(ROOT)}:{node.lineno} {name}" for name in sorted(names)]
    return found


def test_nobody_else_replaces_the_state() -> None:
    """Status, holder, queue, waiting since and chases are replaced in router/conversation/transitions.py only."""
    modules = [path for room in ("router", "adapters", "workers") for path in (ROOT / room).rglob("*.py")]
    others = [line for path in modules if path.name != "transitions.py" for line in replacing(path)]
    assert others == []
    assert {line.rpartition(" ")[2] for line in replacing(ROOT / "router/conversation/transitions.py")} == OWNED


@pytest.mark.parametrize("to", [Status.SOLVED, Status.CLOSED])
def test_what_has_ended_has_no_holder(to: Status) -> None:
    """Nobody holds what has ended, and nobody waits in it, whoever ended it, also where it was held by mistake."""
    ended = status_set(HELD, to, AT, Policy.preset("wallet"))
    assert (ended.status, ended.holder, ended.waiting_since) == (to, "", None)
    assert status_set(held(ended, "li"), to, AT, Policy.preset("wallet")).holder == ""
    assert as_busy(HELD, to).holder == brought_back(HELD, ended, 0).holder == ""


def test_who_waits_longest_waits() -> None:
    """A message that came earlier and is seen later brings the wait forward, never back."""
    later, earlier = AT.replace(hour=3), AT.replace(hour=1)
    assert asked(HELD, later).waiting_since == AT
    assert asked(HELD, earlier, chases=True).waiting_since == earlier

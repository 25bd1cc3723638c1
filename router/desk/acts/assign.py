"""Who is there, and who gets what waits? Presence and rotation are kept; each assignment is one transaction.

In: the ledger, an agent's name, the present instant. Out: agents as they are, the conversation that an agent was
given, what was let go because its holder is not there. Blocking functions; whom to choose is said by
`router.conversation.assignment`.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import bindparam, literal_column, select

from router.conversation.acts import let_go
from router.conversation.assignment import PRESENCES, Here, chosen, first_for, gone, kind_by, load, on_shift
from router.conversation.transitions import held
from router.desk.ledger import Ledger
from router.errors import Misasked
from router.events import AgentPresence, ConversationAssigned, ConversationReleased, Told
from router.model import Conversation, Status
from router.policy.values import AgentPolicy, Policy
from router.store import tables as t
from router.store.codec import maybe_instant
from router.store.locking import locked
from router.store.read import queries, queues
from router.store.statement import Statement, Tx, insert_into
from router.store.tables import micros
from router.store.write import LostUpdate

__all__ = ["agents", "assign_next", "offer", "presence", "release_absent"]

_C = t.conversations.c
_words = msgspec.json.Decoder(tuple[str, ...]).decode
_people = Statement(select(t.agents.c.name, t.agents.c.presence, t.agents.c.since, t.agents.c.assigned_at))
_held = Statement(
    select(_C.number, _C.holder, _C.channels, _C.status).where(_C.holder != literal_column("''"), _C.merged_into == 0)
)
_put_presence = Statement(
    insert_into(t.agents)
    .values(name=bindparam("who"), presence=bindparam("state"), since=bindparam("present", type_=t.Instant.impl()))
    .on_conflict_do_update(
        index_elements=["name"],
        set_={"presence": bindparam("state"), "since": bindparam("present", type_=t.Instant.impl())},
    )
)
_put_rotation = Statement(
    insert_into(t.agents)
    .values(
        name=bindparam("who"), presence="present", since=bindparam("present", type_=t.Instant.impl()),
        assigned_at=bindparam("present", type_=t.Instant.impl()),
    )
    .on_conflict_do_update(
        index_elements=["name"], set_={"assigned_at": bindparam("present", type_=t.Instant.impl())}
    )
)  # fmt: skip


def agents(ledger: Ledger, now: datetime) -> list[dict[str, Any]]:
    """The agents of the configuration, by name, and whoever else said that he is there: `name, presence, since,
    on_shift, available, queues, skills, capacity, holds, load, assigned_at`. Times are UTC with `Z`."""
    with ledger.database.read() as tx:
        people = _here(tx, ledger.policy)
    found = []
    for name, here in sorted(people.items()):
        shift = on_shift(here, ledger.policy, now)
        found.append(
            {
                "name": name,
                "presence": here.presence,
                "since": queries.utc(here.since),
                "on_shift": shift,
                "available": here.presence == "present" and shift,
                "queues": list(here.agent.queues),
                "skills": dict(here.agent.skills),
                "capacity": dict(here.agent.capacity),
                "holds": sum(here.holds.values()),
                "load": round(load(here), 3),
                "assigned_at": queries.utc(here.assigned_at),
            }
        )
    return found


def presence(ledger: Ledger, name: str, state: str, now: datetime) -> dict[str, Any]:
    """Say that an agent is `present`, `away` (finishes what he holds, gets nothing new) or `absent` (what he holds is
    released). Returns his line of `agents`. Raises `Refused` for another word or an unknown name."""
    if state not in PRESENCES:
        raise Misasked(f"{state!r} is no presence; right would be one of: {', '.join(PRESENCES)}.")
    known = ledger.policy.agents
    if not name or (known and name not in known):
        raise Misasked(f"There is no agent {name!r}; the configuration has: {', '.join(known) or 'none'}.")

    def work(tx: Tx) -> None:
        before = {row[0]: row[1] for row in tx.rows(_people)}.get(name, "present")
        tx.run(_put_presence, who=name, state=state, present=micros(now))
        effects = ledger.change()
        if before != state:
            effects.tell(Told(at=now, event=AgentPresence(agent=name, before=before, to=state)))
        ledger.write(tx, effects, now)

    ledger.again(work)
    if state == "absent":
        release_absent(ledger, now)
    return next(line for line in agents(ledger, now) if line["name"] == name)


def offer(ledger: Ledger, number: int, now: datetime) -> str:
    """Give a conversation to whoever may take it and was given nothing for the longest. Returns his name; empty when
    it is held already, waits for nobody, or nobody may take it."""

    def work(tx: Tx) -> str:
        c = locked(tx, number)
        if c.holder or c.status is not Status.OPEN:
            return ""
        here = chosen(c, _here(tx, ledger.policy).values(), ledger.policy, now)
        if here is None:
            return ""
        _give(tx, ledger, c, here.agent.name, now)
        return here.agent.name

    return ledger.again(work)


def assign_next(ledger: Ledger, agent: str, now: datetime) -> Conversation | None:
    """Give an agent the next conversation of his queues, in working order, that he may take; None when there is none.
    Raises `Refused` for a name that the configuration does not have."""
    configured = ledger.policy.agents.get(agent)
    if configured is None:
        known = ", ".join(ledger.policy.agents) or "none"
        raise Misasked(f"There is no agent {agent!r} under [[agents]]; the configuration has: {known}.")

    def work(tx: Tx) -> Conversation | None:
        here = _here(tx, ledger.policy)[agent]
        for queue in configured.queues:
            found = first_for(here, queues.waiting(tx, queue), ledger.policy, now)
            if found is not None:
                mine = locked(tx, found.number)
                if mine.holder:
                    raise LostUpdate  # another agent was faster: look again
                return _give(tx, ledger, mine, agent, now)
        return None

    return ledger.again(work)


def _give(tx: Tx, ledger: Ledger, c: Conversation, agent: str, now: datetime) -> Conversation:
    after = held(c, agent)
    effects = ledger.change()
    effects.put(after)
    effects.tell(Told(at=now, event=ConversationAssigned(agent=agent), conversation=c.number))
    tx.run(_put_rotation, who=agent, present=micros(now))
    ledger.write(tx, effects, now)
    return after


def release_absent(ledger: Ledger, now: datetime) -> int:
    """Let go of what is held by agents who are absent or whose shift is over. How many conversations that were."""
    with ledger.database.read() as tx:
        held = sorted(tx.rows(_held))
        people = _here(tx, ledger.policy) if held else {}
    away = {name: here for name, here in people.items() if gone(here, ledger.policy, now)}
    return sum(_let_go(ledger, row[0], row[1], away[row[1]], now) for row in held if row[1] in away)


def _let_go(ledger: Ledger, number: int, holder: str, here: Here, now: datetime) -> bool:
    def work(tx: Tx) -> bool:
        c = locked(tx, number)
        if c.holder != holder:
            return False
        effects = ledger.change()
        effects.put(let_go(c, ledger.policy))
        reason = "absent" if here.presence == "absent" else "shift_over"
        released = ConversationReleased(held_by=holder, agent="", reason=reason)
        effects.tell(Told(at=now, event=released, conversation=number))
        ledger.write(tx, effects, now)
        return True

    return ledger.again(work)


def _here(tx: Tx, policy: Policy) -> dict[str, Here]:
    """Everybody as he is now: presence and rotation from the table, what he holds from the conversations."""
    said = {row[0]: row[1:] for row in tx.rows(_people)}
    holds: dict[str, Counter[str]] = {}
    for _, holder, channels, status in tx.rows(_held):
        if status == Status.OPEN:
            holds.setdefault(holder, Counter())[kind_by(_words(channels), policy)] += 1
    found = {}
    for name in {*policy.agents, *said}:
        state, since, assigned = said.get(name, ("present", None, None))
        found[name] = Here(
            agent=policy.agents.get(name) or AgentPolicy(name=name), presence=state, since=maybe_instant(since),
            assigned_at=maybe_instant(assigned), holds=holds.get(name, {}),
        )  # fmt: skip
    return found

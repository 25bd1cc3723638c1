"""What does omnirouter do on a sample day? Three days of a wallet desk, played through the real pipeline in seconds.

In: the scenes of `workers.lab.sample_day`, each at its own time. They go through the log, the adapters, the decision
and the timekeeper on a throw-away SQLite file; nothing is sent. Out: `Played`, what the desk then sees; `story` prints
it.
"""

from __future__ import annotations

import asyncio
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from router.desk import Ledger
from router.desk.acts import conversation as acts
from router.desk.duties.due import next_wake_at, wake
from router.model import Placement, Status
from router.policy.values import Policy
from router.ref import ref_of
from router.store import schema
from router.store.leases import Leases
from router.store.log import Log
from router.store.read import queries
from router.value import Value
from workers.cli.conversation.explain import explained
from workers.cli.conversation.why import clock_lines, local
from workers.cli.printing import json_line, line, table
from workers.cli.queue import print_queues, waiting_by_queue
from workers.daemon.channels import Channels
from workers.daemon.decide import Partition
from workers.lab.sample_day import SCENES, Answer, Scene

__all__ = ["Played", "play", "story"]

#: The scene whose decision is explained, and when the desk is looked at.
_EXPLAINED = "transfer-mail"
_AFTER = timedelta(minutes=10)


class Played(Value, frozen=True, kw_only=True):
    """What came of the day, as the command line shows it."""

    now: datetime
    policy: Policy
    steps: tuple[dict[str, Any], ...]
    queues: dict[str, list[dict[str, Any]]]
    apart: dict[str, list[dict[str, Any]]]
    conversations: tuple[dict[str, Any], ...]
    deadlines: tuple[dict[str, Any], ...]
    explained: dict[str, Any]
    explanation: tuple[str, ...]


def play() -> Played:
    """Play the day on a throw-away database; nothing of it stays and nothing goes out."""
    policy = Policy.preset("wallet")
    with tempfile.TemporaryDirectory(prefix="omnirouter-demo-") as folder:
        store = Ledger.open(policy, url=f"sqlite:///{Path(folder) / 'demo.db'}")
        try:
            return asyncio.run(_Day(store).played())
        finally:
            store.close()


class _Day:
    """The desk while the day passes."""

    def __init__(self, store: Ledger) -> None:
        self._store = store
        self._channels = Channels(store.policy, store.database)
        self._log = Log(store.database, store.sealer, schema.partitions(store.database), bell=store.bell)
        self._leases = Leases(store.database, "demo")
        self._partitions: dict[int, Partition] = {}
        self._placed: dict[str, Placement] = {}
        self._steps: list[dict[str, Any]] = []

    async def played(self) -> Played:
        """Play all scenes in their order; what the desk sees ten minutes after the last."""
        try:
            for scene in SCENES:
                self._pass(scene.at)
                if isinstance(scene, Scene):
                    await self._arrive(scene)
                elif isinstance(scene, Answer):
                    self._say(scene)
                else:
                    number = self._number(scene.to)
                    acts.status(self._store, number, Status.SOLVED, agent=scene.agent, now=scene.at)
                    self._step(scene.at, scene.agent, number, "solved", "")
            now = SCENES[-1].at + _AFTER
            self._pass(now)
            return self._seen(now)
        finally:
            await self._log.close()
            await self._channels.close()

    def _pass(self, until: datetime) -> None:
        """Let the timekeeper fire what is due before this instant, each at its own time."""
        while (at := next_wake_at(self._store)) is not None and at <= until:
            wake(self._store, at)

    async def _arrive(self, scene: Scene) -> None:
        ((number, position),) = await self._log.append([scene.raw])
        if number not in self._partitions:
            lease = self._leases.take(f"partition:{number}")
            assert lease is not None  # noqa: S101  (nobody else works on a throw-away file)
            self._partitions[number] = Partition(self._store, self._channels, number, lease.fence)
        entries = await self._log.read(number, position - 1, 1)
        for decision in self._partitions[number].decide(entries, lambda: scene.at).decisions:
            if isinstance(decision, Placement):
                self._placed[scene.name] = decision
                class_ = decision.class_.value if decision.class_ else decision.method
                text = decision.own_text or f"[{decision.message.kind}]"
                self._step(scene.at, scene.told, decision.conversation.number, class_, text)

    def _say(self, answer: Answer) -> None:
        number = self._number(answer.to)
        acts.reply(self._store, number, answer.text, agent=answer.agent, now=answer.at)
        self._step(answer.at, answer.agent, number, "reply", answer.text)

    def _number(self, scene: str) -> int:
        return self._placed[scene].conversation.number

    def _step(self, at: datetime, who: str, number: int, what: str, text: str) -> None:
        self._steps.append({"at": queries.utc(at), "who": who, "ref": ref_of(number), "what": what, "text": text})

    def _seen(self, now: datetime) -> Played:
        store, promises = self._store, self._store.policy.promises
        why, lines = explained(store, str(self._placed[_EXPLAINED].number), now)
        return Played(
            now=now,
            policy=store.policy,
            steps=tuple(self._steps),
            queues=waiting_by_queue(store, now),
            apart=waiting_by_queue(store, now, apart=True),
            conversations=tuple(queries.conversations(store.database, promises, now)),
            deadlines=tuple(queries.deadlines(store.database, promises, now)),
            explained=why,
            explanation=tuple(lines),
        )


def story(played: Played, as_json: bool) -> int:
    """Print the day, the queues in working order, the deadlines and one decision; all of it as JSON where asked."""
    if as_json:
        json_line(
            {
                "at": queries.utc(played.now), "steps": played.steps, "queues": played.queues,
                "conversations": played.conversations, "deadlines": played.deadlines, "explained": played.explained,
            }
        )  # fmt: skip
        return 0
    policy = played.policy
    channels = len({c for conversation in played.conversations for c in conversation["channels"]})
    line(f"{policy.name}: {len(played.steps)} steps on {channels} channels, {len(played.conversations)} conversations")
    line()
    rows = [[local(s["at"], policy), s["who"], s["ref"], s["what"], _short(s["text"])] for s in played.steps]
    table(["time", "who", "conversation", "as", "text"], rows, title="What happened")
    line()
    line(f"The desk at {local(queries.utc(played.now), policy)}, the most urgent first")
    line()
    print_queues(played.queues, policy, limit=10, apart=played.apart)
    line()
    line("Deadlines")
    for conversation in played.conversations:
        clocks = [clock for clock in played.deadlines if clock["conversation"] == conversation["id"]]
        for told in clock_lines(clocks, queries.utc(played.now) or "", policy) if clocks else ():
            line(f"  {conversation['ref']:<6}{told.removeprefix('Deadline: ')}")
    line()
    line("Why one of them is where it is")
    for told in played.explanation:
        line(f"  {told}")
    return 0


def _short(text: str, most: int = 44) -> str:
    words = " ".join(text.split())
    return words if len(words) <= most else f"{words[: most - 1]}…"

"""How does a program use the router without the daemon? `Router`: an async facade over policy, decision and ledger.

In: messages that the program got by itself, and the desk's acts. Out: placements, conversations, explanations. Each
call is one transaction, run off the event loop; every call is safe to repeat.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, TypeAlias, TypeVar

from router.deadlines.calendar import microseconds
from router.decision.decide import checked
from router.desk import Arrival, Ledger, take_in
from router.desk.acts import assign
from router.desk.acts import conversation as acts
from router.model import Conversation, Decision, Message
from router.policy.values import Policy, required
from router.ref import number_of
from router.store.read import queries, queues

__all__ = ["Router"]

_T = TypeVar("_T")
#: A conversation: its state, its number or its ref.
ConversationName: TypeAlias = Conversation | int | str


class Router:
    """The desk as a library: `async with Router.open("sqlite:///desk.db", policy=…) as desk`."""

    def __init__(self, store: Ledger, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._store = store
        self._now = now

    @classmethod
    def open(
        cls,
        url: str | None = None,
        *,
        policy: Policy | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> Router:
        """Open the ledger at `url` (default: the policy's); a fresh SQLite file is created.

        Raises `ConfigurationError`, `Unreachable` or `SchemaMismatch`, each with one sentence.
        """
        chosen = Policy.load(None) if policy is None else required(policy)
        return cls(Ledger.open(chosen, url=url), now=now)

    @property
    def policy(self) -> Policy:
        """The policy that decides."""
        return self._store.policy

    async def receive(self, messages: Sequence[Message]) -> list[Decision]:
        """Decide messages in the order given, in one transaction; safe to repeat. One decision a message.

        Raises `InvalidPayload` for what is no message, `Undecidable` (with its `index`) for one that cannot be decided;
        nothing of the call is stored then.
        """
        now = self._now()
        microseconds(now)
        arrivals = [Arrival(what=checked(m, index), received_at=now) for index, m in enumerate(messages)]
        return await self._off(lambda: take_in(self._store, arrivals, now))

    async def reply(
        self, conversation: ConversationName, text: str, *, agent: str = "", channel: str = "", to: str = "",
        cc: Sequence[str] = (),
    ) -> int:  # fmt: skip
        """Answer the customer; the daemon sends it. Returns the number of the reply.

        `to` names the handle that is answered: needed where two people wrote, and where somebody only claims that the
        handle is the customer's, which it confirms. `cc`: people to copy whom the conversation only proposes. Raises
        `Refused`, `NotFound`, `Misasked`.
        """
        number = _number(conversation)
        return await self._off(
            lambda: acts.reply(self._store, number, text, agent=agent, channel=channel, to=to, cc=cc, now=self._now())
        )

    async def note(self, conversation: ConversationName, text: str, *, agent: str = "") -> int:
        """Note something for the desk; the customer never sees it."""
        number = _number(conversation)
        return await self._off(lambda: acts.note(self._store, number, text, agent=agent, now=self._now()))

    async def status(self, conversation: ConversationName, to: str, *, agent: str = "") -> Conversation:
        """Set a status: open, pending, on_hold, solved or closed."""
        number = _number(conversation)
        return await self._off(lambda: acts.status(self._store, number, to, agent=agent, now=self._now()))

    async def conversation(self, conversation: ConversationName) -> Conversation:
        """The present state of a conversation. Raises `NotFound`."""
        number = _number(conversation)

        def read() -> Conversation:
            with self._store.database.read() as tx:
                return queries.conversation(tx, number)

        return await self._off(read)

    async def messages(self, conversation: ConversationName) -> list[dict[str, Any]]:
        """The messages of a conversation over all its channels, by time (fields: contract, section 4)."""
        number = _number(conversation)
        return await self._off(lambda: queries.messages_of(self._store.database, number))

    async def queue(self, name: str, *, limit: int | None = None) -> list[Conversation]:
        """What waits for the desk in a queue, in working order, at most `limit`."""

        def read() -> list[Conversation]:
            with self._store.database.read() as tx:
                return list(queues.waiting(tx, name, limit=limit))

        return await self._off(read)

    async def next_for(self, agent: str) -> Conversation | None:
        """Give an agent the next conversation of his queues that he may take; None when there is none. Raises
        `Refused` for a name that is not under [[agents]]."""
        return await self._off(lambda: assign.assign_next(self._store, agent, self._now()))

    async def offer(self, conversation: ConversationName) -> str:
        """Give a conversation to whoever may take it and was given nothing for the longest; his name, or nothing."""
        number = _number(conversation)
        return await self._off(lambda: assign.offer(self._store, number, self._now()))

    async def presence(self, agent: str, state: str) -> dict[str, Any]:
        """Say that an agent is `present`, `away` or `absent`; what an absent one holds is released."""
        return await self._off(lambda: assign.presence(self._store, agent, state, self._now()))

    async def _off(self, work: Callable[[], _T]) -> _T:
        return await asyncio.to_thread(work)

    async def close(self) -> None:
        """Close the ledger. Safe to call twice."""
        await asyncio.to_thread(self._store.close)

    async def __aenter__(self) -> Router:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def _number(conversation: ConversationName) -> int:
    if isinstance(conversation, Conversation):
        return conversation.number
    return conversation if isinstance(conversation, int) else number_of(conversation)

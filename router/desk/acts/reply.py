"""How does the desk's answer leave? As a message of the desk and an outbox row, both in one transaction, all ids
fixed.

In: the conversation, the words, who says them. The answer goes by the channel of the customer's last message (or a
named one) to the handle that it came from, never to anybody else (`router.desk.acts.recipients`). Out: the number of
the reply; the daemon sends what the outbox holds.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec.structs import replace
from sqlalchemy import and_, bindparam, func, select, update

from router.conversation.acts import reply_given, reply_id, status_set
from router.conversation.people import naming
from router.desk.acts.recipients import Heard, recipients
from router.desk.ledger import Ledger
from router.desk.storable import words
from router.desk.transaction import act, desk_row, refuse_held
from router.errors import Misasked, Refused
from router.events import ContactConfirmed, ConversationStatus, ReplyAutomatic, ReplyQueued, Told
from router.match import reply_address
from router.model import Attachment, Conversation, Direction, Handle, Status
from router.ref import ref_of
from router.store import tables as t
from router.store.change import Change, Outgoing
from router.store.read import queries
from router.store.statement import Statement, Tx, among, as_json, member, upsert

__all__ = ["KEY_ID", "queue_reply", "reply"]

_TOKEN_LIFE = timedelta(days=180)
_MAX_REFERENCES = 20
_M = t.messages.c

_mail_ids = Statement(
    select(_M.external_id)
    .where(member(_M.conversation, "numbers"), _M.realm == "mail", _M.direction != "note")
    .order_by(_M.sent_at, _M.number)
)
#: Answers of people since an event, but those that did not arrive.
_answered_since = Statement(
    select(t.events.c.seq, _M.agent, _M.text)
    .join(t.messages, _M.number == t.events.c.message)
    .outerjoin(t.outbox, and_(t.outbox.c.message == _M.number, t.outbox.c.kind == "reply"))
    .where(
        member(t.events.c.conversation, "numbers"),
        t.events.c.seq > bindparam("seen"),
        among(t.events.c.type, "reply.queued", "message.sent"),
        ~among(func.coalesce(t.outbox.c.state, "sent"), "failed", "bounced"),
    )
    .order_by(t.events.c.seq)
)
_confirm_handle = Statement(
    update(t.handles)
    .where(t.handles.c.scope == bindparam("where"), t.handles.c.address == bindparam("written"))
    .values(evidence=bindparam("said"))
)
_put_thread_key = upsert(t.thread_keys)


def reply(
    ledger: Ledger,
    number: int,
    text: str,
    *,
    agent: str,
    now: datetime,
    channel: str = "",
    to: str = "",
    cc: Sequence[str] = (),
    attachments: Sequence[Attachment] = (),
    seen: int | None = None,
    then: str = "",
    force: bool = False,
) -> int:
    """Answer the customer. Returns the number of the reply.

    `to` names the handle that is answered: needed where two people wrote, and where the handle was only claimed, which
    it confirms. `cc` are people to copy whom the conversation only proposes. Raises `Refused` when it has no words,
    when another agent holds the conversation, when somebody answered since the event `seen`, when two can be meant, or
    when there is no open address of the customer on the channel; `force` overrides the second and third. `then` is the
    status that the conversation gets in the same transaction (open, pending, solved).
    """
    if not text.strip() and not attachments:
        raise Misasked("A reply needs words.")

    def change(tx: Tx, c: Conversation, effects: Change) -> int:
        if not force:
            _refuse_twice(tx, c, agent, seen)
        own = queue_reply(
            tx, ledger, c, effects, text, agent=agent, now=now, channel=channel, to=to, cc=cc, attachments=attachments
        )
        if then:
            _set_status(ledger, effects, c.number, Status(then), agent, now)
        return own

    return act(ledger, number, now, change)


def _set_status(ledger: Ledger, effects: Change, number: int, to: Status, agent: str, now: datetime) -> None:
    """Set a status after the reply, with its event."""
    c = effects.conversations[number]
    after = status_set(c, to, now, ledger.policy)
    if after != c:
        effects.put(after)
        told = ConversationStatus(before=c.status.value, to=after.status.value, agent=agent, reason="")
        effects.tell(Told(at=now, event=told, conversation=number))


def _refuse_twice(tx: Tx, c: Conversation, agent: str, seen: int | None) -> None:
    """Raise `Refused` when another agent holds the conversation, or somebody answered since the event `seen`."""
    refuse_held(c, agent)
    if seen is not None:
        newer = tx.rows(_answered_since, numbers=queries.family(tx, c.number), seen=seen)
        if newer:
            _, who, text = newer[-1]
            said = textwrap.shorten(text, 200, placeholder="…")
            by = who or "Somebody"
            raise Refused(f"{by} answered {ref_of(c.number)} meanwhile: “{said}”; read it first, or use --force.")


def queue_reply(
    tx: Tx,
    ledger: Ledger,
    c: Conversation,
    effects: Change,
    text: str,
    *,
    agent: str,
    now: datetime,
    channel: str = "",
    to: str = "",
    cc: Sequence[str] = (),
    attachments: Sequence[Attachment] = (),
    automatic: bool = False,
) -> int:
    """Queue an answer within a transaction that holds the conversation's lock; changes it as a reply does."""
    text, agent = words(text), words(agent)
    whom = recipients(tx, c, channel=channel, to=to, cc=cc)
    if whom.problem:
        raise Refused(whom.problem)
    heard, copied = whom.heard, () if automatic else whom.cc
    if whom.confirms:
        _confirm(tx, c, heard, agent, now, effects)
    own = ledger.reserve_numbers(tx, 1)
    external_id = _external_id(ledger, c, heard, heard.key, own, now)
    after = reply_given(
        c, now, text, ledger.policy, automatic=automatic, event_id=reply_id(own), state="pending", others=whom.others
    )
    effects.put(naming(replace(after, messages=after.messages + 1), copied, proved=True))
    files = [{"name": a.name, "type": a.type, "size": a.size, "sha256": a.sha256, "url": a.url} for a in attachments]
    scope = _scope(heard)
    key = external_id if heard.realm == "mail" else f"{scope}:{external_id}"
    effects.add_message(
        desk_row(
            own, c, text, agent, now, Direction.OUT, channel=heard.channel, external_id=key, realm=heard.realm,
            handle=heard.handle, thread=heard.thread or 0, subject=_subject(heard), automatic=automatic,
            attachments=as_json(files) if files else "[]",
        )
    )  # fmt: skip
    if heard.thread:
        tx.run(_put_thread_key, realm=heard.realm, key=key, thread=heard.thread)
    body = _body(tx, c, heard, external_id, scope, text, agent, attachments, automatic)
    if heard.realm == "mail":
        body |= {"cc": list(copied), "thread_index": heard.thread_index, "thread_topic": heard.thread_topic}
    effects.send(
        Outgoing(
            kind="reply", channel=heard.channel, key=key, body=body, conversation=c.number, message=own, due_at=now
        )
    )
    queued = (ReplyAutomatic if automatic else ReplyQueued)(agent=agent, channel=heard.channel)
    effects.tell(Told(at=now, event=queued, conversation=c.number, message=own))
    return own


def _confirm(tx: Tx, c: Conversation, heard: Heard, agent: str, now: datetime, effects: Change) -> None:
    """A person of the desk says that a handle which was only claimed is the customer's."""
    scope, address = heard.key
    tx.run(_confirm_handle, where=scope, written=address, said=f"confirmed by {agent}" if agent else "confirmed")
    effects.tell(Told(at=now, event=ContactConfirmed(agent=agent), conversation=c.number))


#: The key that signs reply addresses now; older ones stay valid in `Store.reply_keys`.
KEY_ID = 1


def _external_id(ledger: Ledger, c: Conversation, heard: Heard, handle: Handle, own: int, now: datetime) -> str:
    """Our own id of the reply, fixed before the first try: for mail a Message-ID that carries the signed token."""
    if heard.realm != "mail":
        return f"out-{own}"
    settings = ledger.policy.channel(heard.channel).settings
    domain = str(getattr(settings, "address", "")).rpartition("@")[2] or "omnirouter.invalid"
    key = ledger.reply_keys.get(KEY_ID)
    if key is None:
        return f"{own}.{micros_text(now)}@{domain}"
    token = reply_address.sign(c.number, handle, KEY_ID, key, now + _TOKEN_LIFE)
    return f"{token}.{own}@{domain}"


def micros_text(at: datetime) -> str:
    """An instant as digits."""
    return at.strftime("%Y%m%d%H%M%S%f")


def _subject(heard: Heard) -> str:
    if heard.realm != "mail":
        return ""
    subject = " ".join(heard.subject.split())
    return subject if subject[:3].lower() == "re:" else f"Re: {subject}".strip()


def _body(
    tx: Tx,
    c: Conversation,
    heard: Heard,
    external_id: str,
    scope: str,
    text: str,
    agent: str,
    attachments: Sequence[Attachment],
    automatic: bool,
) -> dict[str, Any]:
    """What the outbox keeps of a reply: all of `router.ports.Reply` but the text that the message row has."""
    mail = heard.realm == "mail"
    references: list[str] = []
    if mail:
        references = [row[0] for row in tx.rows(_mail_ids, numbers=queries.family(tx, c.number))]
        references = [r for r in references if not r.startswith("sha256:") and r != heard.external_id]
        if not heard.external_id.startswith("sha256:"):
            references.append(heard.external_id)
        references = references[-_MAX_REFERENCES:]
    return {
        "to": heard.handle,
        "to_name": heard.name,
        "external_id": external_id,
        "thread": scope if scope and scope != heard.handle else "",
        "subject": _subject(heard),
        "in_reply_to": _parent_id(heard),
        "references": references,
        "automatic": automatic,
        "agent": agent,
        "ref": ref_of(c.number),
        "text": text,
        "last_in_at": heard.sent_at,
        "attachments": msgspec.to_builtins(list(attachments)) if attachments else [],
    }


def _parent_id(heard: Heard) -> str:
    if heard.realm == "mail":
        return "" if heard.external_id.startswith("sha256:") else heard.external_id
    return heard.external_id[len(_scope(heard)) + 1 :]


def _scope(heard: Heard) -> str:
    """Where the provider's ids are unique: the part of the external id before the provider's own."""
    if heard.realm == "mail":
        return ""
    return heard.external_id.removesuffix(f":{heard.provider_id}")

"""Which tables does the ledger have? One SQLAlchemy `MetaData` for SQLite and PostgreSQL, read by store and migrations.

Instants are 64-bit microseconds since the epoch, UTC (`Instant` refuses naive datetimes); JSON is text written by the
store alone. Numbers come from one counter (router.model); names of constraints follow one convention from the start.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Dialect,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    and_,
    func,
    text,
)

__all__ = ["WORKING", "Instant", "instant", "metadata", "micros"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def micros(at: datetime) -> int:
    """Microseconds since the epoch of an aware datetime. Raises ValueError for a naive one."""
    if at.tzinfo is None:
        raise ValueError(f"{at} has no time zone")
    return (at - _EPOCH) // _MICROSECOND


def instant(value: int) -> datetime:
    """The aware UTC datetime of microseconds since the epoch."""
    return _EPOCH + timedelta(microseconds=value)


class Instant(TypeDecorator[datetime]):
    """An aware UTC datetime, stored as microseconds since the epoch; naive values are refused."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Aware datetime to microseconds."""
        return None if value is None else micros(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Microseconds to aware UTC datetime."""
        return None if value is None else instant(value)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


# On SQLite an INTEGER primary key is the row's own place: no second tree.
_KEY = BigInteger().with_variant(Integer, "sqlite")


def _number(name: str = "number", **more: Any) -> Column[int]:
    kind = _KEY if more.get("primary_key") else BigInteger
    return Column(name, kind, nullable=more.pop("nullable", False), autoincrement=False, **more)


def _words(name: str, default: str = "", **more: Any) -> Column[str]:
    return Column(name, Text, nullable=False, server_default=text(f"'{default}'"), **more)


def _flag(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False, server_default=text("false"))


def _count(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False, server_default=text("0"))


def _at(name: str, *, nullable: bool = False) -> Column[datetime]:
    return Column(name, Instant, nullable=nullable)


# ------------------------------------------------------------------------------------------------------- the log
facts = Table("facts", metadata, Column("name", Text, primary_key=True), _words("value"))
counters = Table("counters", metadata, Column("name", Text, primary_key=True), _number("value"))
log_partitions = Table("log_partitions", metadata, _number("partition", primary_key=True), _number("position"))
raws = Table(
    "raws",
    metadata,
    _number("partition", primary_key=True),
    _number("position", primary_key=True),
    _words("channel"),
    _words("transport_id"),
    _at("received_at"),
    _words("meta", "{}"),
    _flag("history"),
    Column("body", LargeBinary, nullable=False),
    _number("arrived_at", server_default=text("0")),  # by the desk's clock, whatever the message says of itself
    sqlite_with_rowid=False,
)
raw_keys = Table(
    "raw_keys",  # what opens each raw, apart: no row once it is erased or expired; a backup may leave this table out
    metadata,
    _number("partition", primary_key=True),
    _number("position", primary_key=True),
    Column("wrapped_key", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
positions = Table(
    "positions",  # how far each partition is decided: the cursor that moves with the effects
    metadata,
    _number("partition", primary_key=True),
    _number("position"),
    _flag("dirty"),
    _count("single_steps"),
    _number("attempt_position", server_default=text("0")),
    _count("attempts"),
    _number("forgotten", server_default=text("0")),  # how many raws were deleted for their age
    _count("inside"),  # the parts of the raw behind `position` below this index are decided: one that holds many
)
channel_cursors = Table(
    "channel_cursors",
    metadata,
    Column("channel", Text, primary_key=True),
    _words("value"),
    _number("fence", server_default=text("0")),
)
channel_memory = Table(
    "channel_memory",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    _words("value"),
)
leases = Table(
    "leases", metadata, Column("duty", Text, primary_key=True), _words("holder"), _number("fence"), _at("until")
)
set_aside = Table(
    "set_aside",  # invalid and dead raws, listed and replayable by `omnirouter dead`
    metadata,
    Column("id", _KEY, primary_key=True),
    _number("partition"),
    _number("position"),
    _count("item"),
    _words("channel"),
    _words("kind"),
    _words("reason"),
    _words("state", "open"),
    _count("attempts"),
    _at("at"),
    UniqueConstraint("partition", "position", "item"),
)

# ------------------------------------------------------------------------------------------- people and conversations
contacts = Table(
    "contacts",
    metadata,
    _number(primary_key=True),
    _words("name"),
    _words("verified", "{}"),
    _words("attributes", "{}"),
    _words("language"),
    _flag("blocked"),
    _number("joined_into", server_default=text("0")),
    _at("created_at"),
)
Index(
    "ix_contacts_joined_into",
    contacts.c.joined_into,
    sqlite_where=contacts.c.joined_into != 0,
    postgresql_where=contacts.c.joined_into != 0,
)
handles = Table(
    "handles",
    metadata,
    Column("scope", Text, primary_key=True),
    Column("address", Text, primary_key=True),
    _number("contact", index=True),
    _words("evidence"),
    _flag("closed"),
    _at("since"),
    CheckConstraint("address <> ''", name="address_given"),
    sqlite_with_rowid=False,
)
thread_keys = Table(
    "thread_keys",
    metadata,
    Column("realm", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    _number("thread", index=True),
    CheckConstraint("key <> ''", name="key_given"),
    sqlite_with_rowid=False,
)
conversations = Table(
    "conversations",
    metadata,
    _number(primary_key=True),
    _number("contact"),
    _words("status", "open"),
    _at("opened_at"),
    _at("last_message_at"),
    _at("last_in_at", nullable=True),
    _at("last_out_at", nullable=True),
    _at("solved_at", nullable=True),
    _at("closed_at", nullable=True),
    _at("waiting_since", nullable=True),
    _count("chases"),
    _count("messages"),
    _words("subject"),
    _words("issue_type", "other"),
    Column("confidence", Float, nullable=False, server_default=text("0")),
    _flag("unsure"),
    _words("type_by", "machine"),
    _words("language", "other"),
    _words("tags", "[]"),
    _words("flags", "[]"),
    _words("channels", "[]"),
    _words("threads", "[]"),
    _words("participants", "[]"),
    _words("copied", "[]"),
    _words("proposed", "[]"),
    _words("queue"),
    _count("priority"),
    _words("rule"),
    _words("deadline_policy"),
    _flag("pinned"),
    _words("holder"),
    _words("matter", "{}"),
    _words("clocks", "{}"),
    _at("next_due", nullable=True),
    _at("next_wake_at", nullable=True),
    _flag("breached"),
    _number("merged_into", server_default=text("0")),
    _count("version"),
    _at("order_at", nullable=True),  # its place in the working order, null where nothing waits for the desk
)
_WAITING = conversations.c.order_at.is_not(None)
#: What waits for the desk, in working order, with all that a queue counts: it is counted without reading any row.
Index(
    "ix_conversations_waiting",
    *(
        conversations.c[name]
        for name in ("queue", "order_at", "number", "next_due", "breached", "holder", "waiting_since")
    ),
    sqlite_where=_WAITING,
    postgresql_where=_WAITING,
)
#: A contact's own, the latest first.
Index("ix_conversations_contact_last", conversations.c.contact, conversations.c.last_message_at)
Index(
    "ix_conversations_next_wake_at",
    conversations.c.next_wake_at,
    sqlite_where=conversations.c.next_wake_at.is_not(None),
    postgresql_where=conversations.c.next_wake_at.is_not(None),
)
#: Statuses of conversations that the desk still works on.
WORKING = ("open", "pending", "on_hold")
_APART = and_(
    conversations.c.status.in_(WORKING), conversations.c.order_at.is_(None), conversations.c.merged_into == 0
)
#: What is in work and waits for nobody of the desk.
Index(
    "ix_conversations_apart",
    conversations.c.queue,
    conversations.c.number,
    sqlite_where=_APART,
    postgresql_where=_APART,
)
Index("ix_conversations_last_message_at", conversations.c.last_message_at)
Index(
    "ix_conversations_merged_into",
    conversations.c.merged_into,
    sqlite_where=conversations.c.merged_into != 0,
    postgresql_where=conversations.c.merged_into != 0,
)
Index(
    "ix_conversations_holder",
    conversations.c.holder,
    sqlite_where=conversations.c.holder != "",
    postgresql_where=conversations.c.holder != "",
)
messages = Table(
    "messages",
    metadata,
    _number(primary_key=True),
    _words("realm"),
    _words("external_id"),
    Column("provider_id", Text, nullable=True),
    _number("conversation"),
    _number("contact"),
    _number("thread"),
    _words("direction"),
    _flag("automatic"),
    _words("class"),
    _words("kind", "text"),
    _words("channel"),
    _words("handle"),
    _words("claimed"),  # how, where somebody only says that the sender is he
    _words("via"),  # the address of whoever brought it: a form, a colleague who forwards
    _flag("unproven"),  # nobody vouches for the sender
    _words("original"),  # whose mail is forwarded, where that is not the sender
    _words("thread_index"),
    _words("thread_topic"),
    _words("sender_name"),
    _words("agent"),
    _at("sent_at"),
    _at("received_at"),
    _words("subject"),
    _words("text"),
    Column("own_text", Text, nullable=True),  # null where it is the whole text
    _words("digest"),
    _words("edits"),
    _words("issue_type"),
    Column("confidence", Float, nullable=False, server_default=text("0")),
    _flag("unsure"),
    _words("language"),
    _words("flags", "[]"),
    _words("attachments", "[]"),
    Column("raw_partition", Integer, nullable=True),
    Column("raw_position", BigInteger, nullable=True),
    _flag("history"),
    UniqueConstraint("realm", "external_id"),
    CheckConstraint("external_id <> ''", name="external_id_given"),
)
Index("ix_messages_conversation", messages.c.conversation)
Index("ix_messages_contact", messages.c.contact)
Index(
    "ix_messages_provider_id",
    messages.c.channel,
    messages.c.provider_id,
    sqlite_where=messages.c.provider_id.is_not(None),
    postgresql_where=messages.c.provider_id.is_not(None),
)
Index(
    "ix_messages_edits",
    messages.c.realm,
    messages.c.edits,
    sqlite_where=messages.c.edits != "",
    postgresql_where=messages.c.edits != "",
)
Index(
    "ix_messages_raw",
    messages.c.raw_partition,
    messages.c.raw_position,
    sqlite_where=messages.c.raw_position.is_not(None),
    postgresql_where=messages.c.raw_position.is_not(None),
)
decisions = Table(
    "decisions",
    metadata,
    _number("message", primary_key=True),
    _words("method"),
    Column("score", Float, nullable=False),
    _words("candidates", "[]"),
    _words("tagging", "{}"),
    _words("routing", "{}"),
    _words("trace", "[]"),
    _words("policy_version"),
    _number("decided_at", server_default=text("0")),
)
markers = Table(
    "markers",
    metadata,
    Column("key", Text, primary_key=True),
    _number("conversation", primary_key=True),
    _number("contact"),
    _at("at"),
    sqlite_with_rowid=False,
)
Index("ix_markers_conversation", markers.c.conversation)
Index("ix_markers_key_at", markers.c.key, markers.c.at)
#: Markers that the rules look at for a while only are deleted behind it, the oldest first.
for _kind in ("text", "type"):
    _of_a_kind = func.substr(markers.c.key, 1, 5) == f"{_kind}:"
    Index(f"ix_markers_{_kind}", markers.c.at, sqlite_where=_of_a_kind, postgresql_where=_of_a_kind)
links = Table(
    "links",
    metadata,
    _number("conversation", primary_key=True),
    _number("other", primary_key=True),
    Column("reason", Text, primary_key=True),
    Column("score", Float, nullable=False, server_default=text("0")),
    _at("at"),
    _words("by", "machine"),
    _flag("undone"),
    _words("because"),
)
Index("ix_links_other", links.c.other)

# ------------------------------------------------------------------------------------------- what follows from them
events = Table(
    "events",
    metadata,
    _number("seq", primary_key=True),
    _at("at"),
    _words("type"),
    _number("conversation"),
    _number("message", server_default=text("0")),
    _words("body", "{}"),
    _flag("history"),
)
Index("ix_events_conversation", events.c.conversation)
outbox = Table(
    "outbox",
    metadata,
    Column("id", _KEY, primary_key=True),
    _words("kind"),  # reply, event, notify
    _words("channel"),  # the channel, the address of an event receiver, or the recipient's name
    _number("conversation", server_default=text("0")),
    _number("message", server_default=text("0")),
    _words("key"),
    _words("body", "{}"),
    _words("state", "pending"),
    _at("due_at"),
    _at("created_at"),
    _count("attempts"),
    _words("detail"),
    UniqueConstraint("kind", "channel", "key"),
)
Index(
    "ix_outbox_due",
    outbox.c.kind,
    outbox.c.channel,
    outbox.c.due_at,
    sqlite_where=outbox.c.state == "pending",
    postgresql_where=outbox.c.state == "pending",
)
Index("ix_outbox_message", outbox.c.message)
attempts = Table(
    "attempts",
    metadata,
    _number("outbox", primary_key=True),
    Column("attempt", Integer, primary_key=True, autoincrement=False),
    _at("started_at"),
    _at("ended_at", nullable=True),
    _words("outcome"),
    _words("detail"),
)
labels = Table(
    "labels",
    metadata,
    _number("message", primary_key=True),
    _words("issue_type"),
    _words("by"),
    _at("at"),
)
agents = Table(
    "agents",
    metadata,
    Column("name", Text, primary_key=True),
    _words("presence", "present"),
    _at("since"),
    _at("assigned_at", nullable=True),  # the rotation: who was given a conversation longest ago is next
)
incidents = Table(
    "incidents", metadata, Column("key", Text, primary_key=True), _words("issue_type"), _at("opened_at"), _at("last_at")
)
incident_conversations = Table(
    "incident_conversations",
    metadata,
    Column("key", Text, primary_key=True),
    _number("conversation", primary_key=True),
    _at("at"),
)
merges = Table(
    "merges",  # what each merge changed, so that a split can give it back
    metadata,
    _number("absorbed", primary_key=True),
    _number("into"),
    _words("before", "{}"),
    _words("by"),
    _at("at"),
    _words("checked"),  # how the person was checked, where nothing proved that both are one
)
tombstones = Table(
    "tombstones",  # ids of erased messages, hashed: a redelivery must not bring them back
    metadata,
    Column("digest", Text, primary_key=True),
    _at("at"),
)
redeliveries = Table(
    "redeliveries", metadata, Column("channel", Text, primary_key=True), _number("count", server_default=text("0"))
)

# ------------------------------------------------------------------------------------------- who may come in
accounts = Table(
    "accounts",
    metadata,
    Column("name", Text, primary_key=True),
    _words("role"),
    _flag("program"),
    _words("mail"),
    _words("queues", "[]"),
    _words("skills", "{}"),
    _words("capacity", "{}"),
    _words("shift"),
    _words("language"),
    _flag("disabled"),
    _words("password_hash"),  # argon2id; empty where none is set
    _at("created_at"),
)
invitations = Table(
    "invitations",  # one-time links by which a person sets a password
    metadata,
    Column("digest", Text, primary_key=True),
    _words("account"),
    _at("expires_at"),
    Index("ix_invitations_account", "account"),
)
sessions = Table(
    "sessions",
    metadata,
    Column("digest", Text, primary_key=True),  # of the secret in the cookie
    _words("account"),
    _at("created_at"),
    _at("used_at"),
    _words("browser"),
    Index("ix_sessions_account", "account"),
)
tokens = Table(
    "tokens",
    metadata,
    Column("id", Text, primary_key=True),
    _words("account"),
    Column("digest", Text, nullable=False, unique=True),
    _at("created_at"),
    _at("expires_at", nullable=True),
    _at("used_at", nullable=True),
    _at("revoked_at", nullable=True),
    Index("ix_tokens_account", "account"),
)
guesses = Table(
    "guesses",  # wrong passwords in a row, by account and by address (both hashed): what slows the next one
    metadata,
    Column("key", Text, primary_key=True),
    _count("wrong"),
    _at("at"),
)
idempotency = Table(
    "idempotency",  # what a repeated request is answered with: ids only, no words
    metadata,
    Column("account", Text, primary_key=True),
    Column("route", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    _words("digest"),  # of the body
    _count("status"),
    _words("ids", "{}"),
    _at("at"),
    Index("ix_idempotency_at", "at"),
)

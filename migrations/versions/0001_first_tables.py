"""first tables"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """first tables"""
    op.create_table(
        "agents",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("presence", sa.Text(), server_default=sa.text("'present'"), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("assigned_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_agents")),
    )
    op.create_table(
        "attempts",
        sa.Column("outbox", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("attempt", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("detail", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.PrimaryKeyConstraint("outbox", "attempt", name=op.f("pk_attempts")),
    )
    op.create_table(
        "channel_cursors",
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("fence", sa.BigInteger(), server_default=sa.text("0"), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("channel", name=op.f("pk_channel_cursors")),
    )
    op.create_table(
        "channel_memory",
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.PrimaryKeyConstraint("channel", "key", name=op.f("pk_channel_memory")),
    )
    op.create_table(
        "contacts",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("verified", sa.Text(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("attributes", sa.Text(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("language", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("blocked", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("joined_into", sa.BigInteger(), server_default=sa.text("0"), autoincrement=False, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_contacts")),
    )
    op.create_table(
        "conversations",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("contact", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("status", sa.Text(), server_default=sa.text("'open'"), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("last_message_at", sa.BigInteger(), nullable=False),
        sa.Column("last_in_at", sa.BigInteger(), nullable=True),
        sa.Column("last_out_at", sa.BigInteger(), nullable=True),
        sa.Column("solved_at", sa.BigInteger(), nullable=True),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("waiting_since", sa.BigInteger(), nullable=True),
        sa.Column("chases", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("messages", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("subject", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("issue_type", sa.Text(), server_default=sa.text("'other'"), nullable=False),
        sa.Column("confidence", sa.Float(), server_default=sa.text("0"), nullable=False),
        sa.Column("unsure", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("type_by", sa.Text(), server_default=sa.text("'machine'"), nullable=False),
        sa.Column("language", sa.Text(), server_default=sa.text("'other'"), nullable=False),
        sa.Column("tags", sa.Text(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("flags", sa.Text(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("channels", sa.Text(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("threads", sa.Text(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("participants", sa.Text(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("queue", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("priority", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("rule", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("deadline_policy", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("pinned", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("holder", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("matter", sa.Text(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("clocks", sa.Text(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("next_due", sa.BigInteger(), nullable=True),
        sa.Column("next_wake_at", sa.BigInteger(), nullable=True),
        sa.Column("breached", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("merged_into", sa.BigInteger(), server_default=sa.text("0"), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), server_default=sa.text("0"), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_conversations")),
    )
    op.create_index(op.f("ix_conversations_contact"), "conversations", ["contact"], unique=False)
    op.create_index(
        "ix_conversations_holder",
        "conversations",
        ["holder"],
        unique=False,
        sqlite_where=sa.text("holder != ''"),
        postgresql_where=sa.text("holder != ''"),
    )
    op.create_index(
        "ix_conversations_merged_into",
        "conversations",
        ["merged_into"],
        unique=False,
        sqlite_where=sa.text("merged_into != 0"),
        postgresql_where=sa.text("merged_into != 0"),
    )
    op.create_index(
        "ix_conversations_next_wake_at",
        "conversations",
        ["next_wake_at"],
        unique=False,
        sqlite_where=sa.text("next_wake_at IS NOT NULL"),
        postgresql_where=sa.text("next_wake_at IS NOT NULL"),
    )
    op.create_index(
        "ix_conversations_queue_working",
        "conversations",
        ["queue", "next_due"],
        unique=False,
        sqlite_where=sa.text("status IN ('open', 'pending', 'on_hold')"),
        postgresql_where=sa.text("status IN ('open', 'pending', 'on_hold')"),
    )
    op.create_table(
        "counters",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_counters")),
    )
    op.create_table(
        "decisions",
        sa.Column("message", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("method", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("candidates", sa.Text(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("tagging", sa.Text(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("routing", sa.Text(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("trace", sa.Text(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("policy_version", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.PrimaryKeyConstraint("message", name=op.f("pk_decisions")),
    )
    op.create_table(
        "events",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("conversation", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("message", sa.BigInteger(), server_default=sa.text("0"), autoincrement=False, nullable=False),
        sa.Column("body", sa.Text(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("history", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_events")),
    )
    op.create_index("ix_events_conversation", "events", ["conversation"], unique=False)
    op.create_table(
        "facts",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_facts")),
    )
    op.create_table(
        "handles",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("contact", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("evidence", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("closed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("address <> ''", name=op.f("ck_handles_address_given")),
        sa.PrimaryKeyConstraint("scope", "address", name=op.f("pk_handles")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_handles_contact"), "handles", ["contact"], unique=False)
    op.create_table(
        "incident_conversations",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column(
            "conversation", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", "conversation", name=op.f("pk_incident_conversations")),
    )
    op.create_table(
        "incidents",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("issue_type", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_incidents")),
    )
    op.create_table(
        "labels",
        sa.Column("message", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("issue_type", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("by", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("message", name=op.f("pk_labels")),
    )
    op.create_table(
        "leases",
        sa.Column("duty", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("fence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("duty", name=op.f("pk_leases")),
    )
    op.create_table(
        "links",
        sa.Column(
            "conversation", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("other", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("score", sa.Float(), server_default=sa.text("0"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.Text(), server_default=sa.text("'machine'"), nullable=False),
        sa.Column("undone", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("conversation", "other", "reason", name=op.f("pk_links")),
    )
    op.create_index("ix_links_other", "links", ["other"], unique=False)
    op.create_table(
        "log_partitions",
        sa.Column(
            "partition", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("partition", name=op.f("pk_log_partitions")),
    )
    op.create_table(
        "markers",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column(
            "conversation", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("contact", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", "conversation", name=op.f("pk_markers")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_markers_conversation", "markers", ["conversation"], unique=False)
    op.create_table(
        "merges",
        sa.Column(
            "absorbed", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("into", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("before", sa.Text(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("by", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("absorbed", name=op.f("pk_merges")),
    )
    op.create_table(
        "messages",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("realm", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("external_id", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("provider_id", sa.Text(), nullable=True),
        sa.Column("conversation", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("contact", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("thread", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("direction", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("automatic", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("class", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("kind", sa.Text(), server_default=sa.text("'text'"), nullable=False),
        sa.Column("channel", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("handle", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("sender_name", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("agent", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("subject", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("text", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("own_text", sa.Text(), nullable=True),
        sa.Column("digest", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("edits", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("issue_type", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("confidence", sa.Float(), server_default=sa.text("0"), nullable=False),
        sa.Column("unsure", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("language", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("flags", sa.Text(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("attachments", sa.Text(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("raw_partition", sa.Integer(), nullable=True),
        sa.Column("raw_position", sa.BigInteger(), nullable=True),
        sa.Column("history", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.CheckConstraint("external_id <> ''", name=op.f("ck_messages_external_id_given")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_messages")),
        sa.UniqueConstraint("realm", "external_id", name=op.f("uq_messages_realm_external_id")),
    )
    op.create_index("ix_messages_conversation", "messages", ["conversation"], unique=False)
    op.create_index(
        "ix_messages_edits",
        "messages",
        ["realm", "edits"],
        unique=False,
        sqlite_where=sa.text("edits != ''"),
        postgresql_where=sa.text("edits != ''"),
    )
    op.create_index(
        "ix_messages_provider_id",
        "messages",
        ["channel", "provider_id"],
        unique=False,
        sqlite_where=sa.text("provider_id IS NOT NULL"),
        postgresql_where=sa.text("provider_id IS NOT NULL"),
    )
    op.create_index(
        "ix_messages_raw",
        "messages",
        ["raw_partition", "raw_position"],
        unique=False,
        sqlite_where=sa.text("raw_position IS NOT NULL"),
        postgresql_where=sa.text("raw_position IS NOT NULL"),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("channel", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("conversation", sa.BigInteger(), server_default=sa.text("0"), autoincrement=False, nullable=False),
        sa.Column("message", sa.BigInteger(), server_default=sa.text("0"), autoincrement=False, nullable=False),
        sa.Column("key", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("body", sa.Text(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'pending'"), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("detail", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("kind", "channel", "key", name=op.f("uq_outbox_kind_channel_key")),
    )
    op.create_index(
        "ix_outbox_due",
        "outbox",
        ["kind", "channel", "due_at"],
        unique=False,
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index("ix_outbox_message", "outbox", ["message"], unique=False)
    op.create_table(
        "positions",
        sa.Column(
            "partition", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("dirty", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("single_steps", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "attempt_position", sa.BigInteger(), server_default=sa.text("0"), autoincrement=False, nullable=False
        ),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("partition", name=op.f("pk_positions")),
    )
    op.create_table(
        "raws",
        sa.Column(
            "partition", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column(
            "position", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("channel", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("transport_id", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("meta", sa.Text(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("history", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("partition", "position", name=op.f("pk_raws")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "redeliveries",
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), server_default=sa.text("0"), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("channel", name=op.f("pk_redeliveries")),
    )
    op.create_table(
        "set_aside",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("partition", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("item", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("channel", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("kind", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("reason", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'open'"), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_set_aside")),
        sa.UniqueConstraint("partition", "position", "item", name=op.f("uq_set_aside_partition_position_item")),
    )
    op.create_table(
        "thread_keys",
        sa.Column("realm", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("thread", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.CheckConstraint("key <> ''", name=op.f("ck_thread_keys_key_given")),
        sa.PrimaryKeyConstraint("realm", "key", name=op.f("pk_thread_keys")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_thread_keys_thread"), "thread_keys", ["thread"], unique=False)
    op.create_table(
        "tombstones",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_tombstones")),
    )


def downgrade() -> None:
    """first tables"""
    op.drop_table("tombstones")
    op.drop_index(op.f("ix_thread_keys_thread"), table_name="thread_keys")
    op.drop_table("thread_keys")
    op.drop_table("set_aside")
    op.drop_table("redeliveries")
    op.drop_table("raws")
    op.drop_table("positions")
    op.drop_index("ix_outbox_message", table_name="outbox")
    op.drop_index(
        "ix_outbox_due",
        table_name="outbox",
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.drop_table("outbox")
    op.drop_index(
        "ix_messages_raw",
        table_name="messages",
        sqlite_where=sa.text("raw_position IS NOT NULL"),
        postgresql_where=sa.text("raw_position IS NOT NULL"),
    )
    op.drop_index(
        "ix_messages_provider_id",
        table_name="messages",
        sqlite_where=sa.text("provider_id IS NOT NULL"),
        postgresql_where=sa.text("provider_id IS NOT NULL"),
    )
    op.drop_index(
        "ix_messages_edits",
        table_name="messages",
        sqlite_where=sa.text("edits != ''"),
        postgresql_where=sa.text("edits != ''"),
    )
    op.drop_index("ix_messages_conversation", table_name="messages")
    op.drop_table("messages")
    op.drop_table("merges")
    op.drop_index("ix_markers_conversation", table_name="markers")
    op.drop_table("markers")
    op.drop_table("log_partitions")
    op.drop_index("ix_links_other", table_name="links")
    op.drop_table("links")
    op.drop_table("leases")
    op.drop_table("labels")
    op.drop_table("incidents")
    op.drop_table("incident_conversations")
    op.drop_index(op.f("ix_handles_contact"), table_name="handles")
    op.drop_table("handles")
    op.drop_table("facts")
    op.drop_index("ix_events_conversation", table_name="events")
    op.drop_table("events")
    op.drop_table("decisions")
    op.drop_table("counters")
    op.drop_index(
        "ix_conversations_queue_working",
        table_name="conversations",
        sqlite_where=sa.text("status IN ('open', 'pending', 'on_hold')"),
        postgresql_where=sa.text("status IN ('open', 'pending', 'on_hold')"),
    )
    op.drop_index(
        "ix_conversations_next_wake_at",
        table_name="conversations",
        sqlite_where=sa.text("next_wake_at IS NOT NULL"),
        postgresql_where=sa.text("next_wake_at IS NOT NULL"),
    )
    op.drop_index(
        "ix_conversations_merged_into",
        table_name="conversations",
        sqlite_where=sa.text("merged_into != 0"),
        postgresql_where=sa.text("merged_into != 0"),
    )
    op.drop_index(
        "ix_conversations_holder",
        table_name="conversations",
        sqlite_where=sa.text("holder != ''"),
        postgresql_where=sa.text("holder != ''"),
    )
    op.drop_index(op.f("ix_conversations_contact"), table_name="conversations")
    op.drop_table("conversations")
    op.drop_table("contacts")
    op.drop_table("channel_memory")
    op.drop_table("channel_cursors")
    op.drop_table("attempts")
    op.drop_table("agents")

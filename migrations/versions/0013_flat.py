"""indexes by which a message, a queue and a person cost the same however much is stored"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_WORKING = "status IN ('open', 'pending', 'on_hold')"
#: Name, table, columns, and the rows it holds where these are not all.
_NEW = (
    ("ix_conversations_waiting", "conversations",
     ["queue", "order_at", "number", "next_due", "breached", "holder", "waiting_since"], "order_at IS NOT NULL"),
    ("ix_conversations_apart", "conversations", ["queue", "number"],
     f"{_WORKING} AND order_at IS NULL AND merged_into = 0"),
    ("ix_conversations_contact_last", "conversations", ["contact", "last_message_at"], ""),
    ("ix_contacts_joined_into", "contacts", ["joined_into"], "joined_into != 0"),
    ("ix_messages_contact", "messages", ["contact"], ""),
    ("ix_markers_key_at", "markers", ["key", "at"], ""),
    ("ix_markers_text", "markers", ["at"], "substr(key, 1, 5) = 'text:'"),
    ("ix_markers_type", "markers", ["at"], "substr(key, 1, 5) = 'type:'"),
)  # fmt: skip
_FORMER = (
    ("ix_conversations_queue_order_at", "conversations", ["queue", "order_at"], "order_at IS NOT NULL"),
    ("ix_conversations_queue_working", "conversations", ["queue", "next_due"], _WORKING),
    ("ix_conversations_contact", "conversations", ["contact"], ""),
)


def upgrade() -> None:
    """indexes by which a message, a queue and a person cost the same however much is stored"""
    _replace(_FORMER, _NEW)


def downgrade() -> None:
    """back to those of before"""
    _replace(_NEW, _FORMER)


def _replace(gone: tuple[tuple[str, str, list[str], str], ...], made: tuple[tuple[str, str, list[str], str], ...]) -> None:
    for name, table, _, _ in gone:
        op.drop_index(name, table)
    for name, table, columns, rows in made:
        where = sa.text(rows) if rows else None
        op.create_index(name, table, columns, unique=False, sqlite_where=where, postgresql_where=where)

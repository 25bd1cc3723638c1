"""messages tell whose they are and by whom they came; conversations know who is copied to answers"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0003"
branch_labels = None
depends_on = None

_MESSAGES = ("claimed", "via", "original", "thread_index", "thread_topic")
_CONVERSATIONS = ("copied", "proposed")


def upgrade() -> None:
    """messages tell whose they are and by whom they came; conversations know who is copied to answers"""
    for name in _CONVERSATIONS:
        op.add_column("conversations", sa.Column(name, sa.Text(), server_default=sa.text("'[]'"), nullable=False))
    for name in _MESSAGES:
        op.add_column("messages", sa.Column(name, sa.Text(), server_default=sa.text("''"), nullable=False))
    op.add_column("messages", sa.Column("unproven", sa.Boolean(), server_default=sa.text("false"), nullable=False))


def downgrade() -> None:
    """back to messages that are of whoever sent them"""
    for name in (*_MESSAGES, "unproven"):
        op.drop_column("messages", name)
    for name in _CONVERSATIONS:
        op.drop_column("conversations", name)

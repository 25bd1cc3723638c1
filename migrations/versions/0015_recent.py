"""conversations by their newest word, for lists"""

from __future__ import annotations

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """conversations by their newest word, for lists"""
    op.create_index("ix_conversations_last_message_at", "conversations", ["last_message_at"])


def downgrade() -> None:
    """without that index"""
    op.drop_index("ix_conversations_last_message_at", "conversations")

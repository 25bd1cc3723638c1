"""conversations no longer hold the number of their last event, which nothing reads"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """conversations no longer hold the number of their last event, which nothing reads"""
    op.drop_column("conversations", "seq")


def downgrade() -> None:
    """back to the column, empty"""
    op.add_column("conversations", sa.Column("seq", sa.BigInteger(), server_default=sa.text("0"), nullable=False))

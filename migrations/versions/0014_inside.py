"""a raw of many messages is decided in pieces: the cursor also stands inside it"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """a raw of many messages is decided in pieces: the cursor also stands inside it"""
    op.add_column("positions", sa.Column("inside", sa.Integer(), server_default=sa.text("0"), nullable=False))


def downgrade() -> None:
    """whole raws; what was decided of one is a redelivery when it is decided again"""
    op.drop_column("positions", "inside")

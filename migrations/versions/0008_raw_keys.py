"""the wrapped keys of raws stand in a table of their own, so that a backup can leave them out"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """the wrapped keys of raws stand in a table of their own, so that a backup can leave them out

    The former column is emptied before it goes: PostgreSQL only hides the column that it drops, and what the rows held
    is gone with its next vacuum.
    """
    op.create_table(
        "raw_keys",
        sa.Column("partition", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("partition", "position", name=op.f("pk_raw_keys")),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO raw_keys (partition, position, wrapped_key) "
        "SELECT partition, position, wrapped_key FROM raws WHERE wrapped_key IS NOT NULL"
    )
    op.execute("UPDATE raws SET wrapped_key = NULL WHERE wrapped_key IS NOT NULL")
    op.drop_column("raws", "wrapped_key")


def downgrade() -> None:
    """back to the column"""
    op.add_column("raws", sa.Column("wrapped_key", sa.LargeBinary(), nullable=True))
    op.execute(
        "UPDATE raws SET wrapped_key = (SELECT k.wrapped_key FROM raw_keys k "
        "WHERE k.partition = raws.partition AND k.position = raws.position)"
    )
    op.drop_table("raw_keys")

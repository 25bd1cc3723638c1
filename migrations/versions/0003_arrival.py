"""raws know when they arrived, decisions when they were made, positions how many raws were forgotten"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

#: The present instant, in microseconds since the epoch.
_PRESENT = {
    "sqlite": "CAST(strftime('%s', 'now') AS INTEGER) * 1000000",
    "postgresql": "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)",
}


def upgrade() -> None:
    """raws know when they arrived, decisions when they were made, positions how many raws were forgotten"""
    op.add_column("raws", sa.Column("arrived_at", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.add_column("decisions", sa.Column("decided_at", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.add_column("positions", sa.Column("forgotten", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    # When a recorded message came in was not kept: it counts from now on, so that it is forgotten too late at most.
    present = _PRESENT[op.get_context().dialect.name]
    op.execute(f"UPDATE raws SET arrived_at = CASE WHEN history THEN {present} ELSE received_at END")  # noqa: S608
    op.execute(
        f"UPDATE decisions SET decided_at = COALESCE((SELECT received_at FROM messages "  # noqa: S608
        f"WHERE messages.number = decisions.message AND NOT messages.history), {present})"
    )


def downgrade() -> None:
    """back without them"""
    op.drop_column("positions", "forgotten")
    op.drop_column("decisions", "decided_at")
    op.drop_column("raws", "arrived_at")

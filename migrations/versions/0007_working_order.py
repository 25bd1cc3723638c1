"""conversations hold their place in the working order; links say what they rest on; merges how a person was checked"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

#: The due instant of the nearest running promise, as the clocks' JSON has it: runs `r` of [metric, cycle, pledges,
#: state, …], pledges of [id, at, due, policy, …].
_NEAREST = {
    "sqlite": """
        SELECT min(json_extract(pledge.value, '$[2]'))
        FROM json_each(conversations.clocks, '$.r') AS run, json_each(run.value, '$[2]') AS pledge
        WHERE coalesce(json_extract(run.value, '$[3]'), '') = ''
          AND coalesce(json_extract(pledge.value, '$[3]'), '') <> ''""",
    "postgresql": """
        SELECT min(CAST(pledge.value ->> 2 AS bigint))
        FROM jsonb_array_elements(coalesce(CAST(conversations.clocks AS jsonb) -> 'r', '[]')) AS run (value),
             jsonb_array_elements(run.value -> 2) AS pledge (value)
        WHERE coalesce(run.value ->> 3, '') = '' AND coalesce(pledge.value ->> 3, '') <> ''""",
}
_LEAST = {"sqlite": "min(chases, 6)", "postgresql": "least(chases, 6)"}


def upgrade() -> None:
    """conversations hold their place in the working order; links say what they rest on; merges how a person was
    checked"""
    dialect = op.get_context().dialect.name
    op.add_column("links", sa.Column("because", sa.Text(), server_default=sa.text("''"), nullable=False))
    op.add_column("merges", sa.Column("checked", sa.Text(), server_default=sa.text("''"), nullable=False))
    op.add_column("conversations", sa.Column("order_at", sa.BigInteger(), nullable=True))
    op.execute(f"""
        UPDATE conversations SET order_at = coalesce(({_NEAREST[dialect]}), waiting_since + 14400000000)
            - CAST(300000000 AS bigint) * {_LEAST[dialect]} - CAST(60000000 AS bigint) * priority
        WHERE status IN ('open', 'on_hold') AND waiting_since IS NOT NULL AND merged_into = 0
    """)  # noqa: S608  (constants of this file)
    op.create_index(
        "ix_conversations_queue_order_at",
        "conversations",
        ["queue", "order_at"],
        unique=False,
        sqlite_where=sa.text("order_at IS NOT NULL"),
        postgresql_where=sa.text("order_at IS NOT NULL"),
    )


def downgrade() -> None:
    """back to a working order that is worked out whenever it is asked for"""
    op.drop_index("ix_conversations_queue_order_at", "conversations")
    op.drop_column("conversations", "order_at")
    op.drop_column("merges", "checked")
    op.drop_column("links", "because")

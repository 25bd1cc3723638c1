"""accounts, their one-time links, sessions and tokens; repeated requests"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """accounts, their one-time links, sessions and tokens; repeated requests"""
    op.create_table(
        "accounts",
        sa.Column("name", sa.Text(), nullable=False),
        *(_words(name) for name in ("role", "mail", "shift", "language", "password_hash")),
        *(sa.Column(name, sa.Boolean(), server_default=sa.text("false"), nullable=False) for name in ("program", "disabled")),
        _words("queues", "[]"),
        _words("skills", "{}"),
        _words("capacity", "{}"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_accounts")),
    )
    op.create_table(
        "invitations",
        sa.Column("digest", sa.Text(), nullable=False),
        _words("account"),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_invitations")),
    )
    op.create_table(
        "sessions",
        sa.Column("digest", sa.Text(), nullable=False),
        _words("account"),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=False),
        _words("browser"),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_sessions")),
    )
    op.create_table(
        "tokens",
        sa.Column("id", sa.Text(), nullable=False),
        _words("account"),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=True) for name in ("expires_at", "used_at", "revoked_at")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("digest", name=op.f("uq_tokens_digest")),
    )
    op.create_table(
        "guesses",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("wrong", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_guesses")),
    )
    op.create_table(
        "idempotency",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("account", "route", "key")),
        _words("digest"),
        sa.Column("status", sa.Integer(), server_default=sa.text("0"), nullable=False),
        _words("ids", "{}"),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account", "route", "key", name=op.f("pk_idempotency")),
    )
    for table in ("invitations", "sessions", "tokens"):
        op.create_index(op.f(f"ix_{table}_account"), table, ["account"])
    op.create_index(op.f("ix_idempotency_at"), "idempotency", ["at"])


def downgrade() -> None:
    """nobody comes in any more"""
    for table in ("idempotency", "guesses", "tokens", "sessions", "invitations", "accounts"):
        op.drop_table(table)


def _words(name: str, default: str = "") -> sa.Column[str]:
    return sa.Column(name, sa.Text(), server_default=sa.text(f"'{default}'"), nullable=False)

"""which accounts were deleted, until nothing of them is left

Revision: 0035, after 0034, 2026-11-23 22:16:00.
"""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "deleted_accounts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("swept_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deleted_accounts")),
    )
    op.create_index("ix_deleted_accounts_deleted", "deleted_accounts", ["deleted_at"])


def downgrade() -> None:
    op.drop_table("deleted_accounts")

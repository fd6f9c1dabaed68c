"""announced stays

Revision: 0016, after 0015, 2026-11-23 12:20:00.

Providers are told of a car when it enters. Cars that are inside now are told of when they are
charged, as before.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "stay_announcements",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("driver_id", sa.Uuid(), nullable=False),
        sa.Column("mandate_id", sa.Uuid(), nullable=False),
        sa.Column("reference", sa.String()),
        sa.Column("used_by", sa.Uuid()),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("next_try_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint(
            "operator_id", "session_id", "provider", name="pk_stay_announcements"
        ),
    )
    op.create_index(
        "ix_stay_announcements_due",
        "stay_announcements",
        ["next_try_at"],
        postgresql_where=sa.text("next_try_at IS NOT NULL"),
    )
    op.add_column("payment_attempts", sa.Column("stay_reference", sa.String()))


def downgrade() -> None:
    op.drop_column("payment_attempts", "stay_reference")
    op.drop_table("stay_announcements")

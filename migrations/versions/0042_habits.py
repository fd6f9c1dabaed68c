"""habits of drivers who allowed it, and which events a consumer has taken

Revision: 0042, after 0041, 2026-11-24 00:38:00.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "habits",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("place_id", sa.Uuid(), nullable=False),
        sa.Column("driver_id", sa.Uuid(), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("visits", sa.Integer(), nullable=False),
        sa.Column("recent", sa.BigInteger(), nullable=False),
        sa.Column("sums", sa.LargeBinary(), nullable=False),
        sa.Column("visited_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("visits > 0", name=op.f("ck_habits_visits_positive")),
        sa.PrimaryKeyConstraint("operator_id", "place_id", "driver_id", name=op.f("pk_habits")),
    )
    op.create_index("ix_habits_driver", "habits", ["driver_id"])
    op.create_table(
        "habit_resets",
        sa.Column("driver_id", sa.Uuid(), nullable=False),
        sa.Column("forgotten_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("driver_id", name=op.f("pk_habit_resets")),
    )
    op.create_table(
        "habit_fits",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("weights", postgresql.JSONB(), nullable=False),
        sa.Column("outcomes", sa.Integer(), nullable=False),
        sa.Column("visits", sa.Integer(), nullable=False),
        sa.Column("calibration_error", sa.Float(), nullable=False),
        sa.Column("fitted_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("operator_id", "id", name=op.f("pk_habit_fits")),
    )
    op.create_table(
        "consumed_events",
        sa.Column("consumer", sa.String(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("consumed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("consumer", "event_id", name=op.f("pk_consumed_events")),
    )
    op.create_index("ix_consumed_events_consumed", "consumed_events", ["consumed_at"])


def downgrade() -> None:
    op.drop_index("ix_consumed_events_consumed", table_name="consumed_events")
    op.drop_table("consumed_events")
    op.drop_table("habit_fits")
    op.drop_table("habit_resets")
    op.drop_index("ix_habits_driver", table_name="habits")
    op.drop_table("habits")

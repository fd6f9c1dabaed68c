"""how each lane's agent is

Revision: 0019, after 0018, 2026-11-23 15:20:00.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "lane_health",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("lane_id", sa.Uuid(), nullable=False),
        sa.Column("session_epoch", sa.Integer(), nullable=False),
        sa.Column("bridge", sa.String(), nullable=False),
        sa.Column("agent_version", sa.String(), nullable=False),
        sa.Column("connected_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("close_code", sa.Integer(), nullable=True),
        sa.Column("queue_depth", sa.Integer(), nullable=True),
        sa.Column("oldest_queued_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("clock_offset_ms", sa.Integer(), nullable=True),
        sa.Column("clock_uncertainty_ms", sa.Integer(), nullable=True),
        sa.Column("barrier", sa.String(), nullable=True),
        sa.Column("policy_version", sa.String(), nullable=True),
        sa.Column("devices", JSONB(), nullable=False),
        sa.ForeignKeyConstraint(
            ["operator_id", "lane_id"],
            ["access_lanes.operator_id", "access_lanes.id"],
            name=op.f("fk_lane_health_operator_id"),
        ),
        sa.PrimaryKeyConstraint("operator_id", "lane_id", name=op.f("pk_lane_health")),
        # Written again and again: with room in its page a row's new version moves no index.
        postgresql_with={"fillfactor": 60},
    )


def downgrade() -> None:
    op.drop_table("lane_health")

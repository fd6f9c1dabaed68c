"""offline policies

Revision: 0021, after 0020, 2026-11-23 15:28:00.
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

LANE = ["operator_id", "lane_id"]
LANES = ["access_lanes.operator_id", "access_lanes.id"]


def upgrade() -> None:
    op.create_table(
        "offline_settings",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("lane_id", sa.Uuid(), nullable=False),
        sa.Column("fallback", sa.String(length=32), nullable=False),
        sa.Column("valid_hours", sa.Integer(), nullable=False),
        sa.Column("cars_max", sa.Integer(), nullable=False),
        sa.Column("car_risk_minor", sa.BigInteger()),
        sa.Column("risk_minor_max", sa.BigInteger()),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "valid_hours > 0 AND cars_max >= 0", name=op.f("ck_offline_settings_bounds_positive")
        ),
        sa.ForeignKeyConstraint(LANE, LANES, name=op.f("fk_offline_settings_operator_id_lane_id")),
        sa.PrimaryKeyConstraint("operator_id", "lane_id", name=op.f("pk_offline_settings")),
    )
    op.create_table(
        "offline_policies",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("lane_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("plates", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("signing_key", sa.String(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("bundle_sealed", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("version > 0", name=op.f("ck_offline_policies_version_positive")),
        sa.ForeignKeyConstraint(LANE, LANES, name=op.f("fk_offline_policies_operator_id_lane_id")),
        sa.PrimaryKeyConstraint("operator_id", "lane_id", name=op.f("pk_offline_policies")),
    )
    op.create_table(
        "offline_passages",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("place_id", sa.Uuid(), nullable=False),
        sa.Column("lane_id", sa.Uuid(), nullable=False),
        sa.Column("presentation_id", sa.Uuid(), nullable=False),
        sa.Column("direction", sa.String(), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("policy_version", sa.BigInteger()),
        sa.Column("risk_minor", sa.BigInteger(), nullable=False),
        sa.Column("observation_id", sa.Uuid()),
        sa.Column("plate_index", sa.Uuid()),
        sa.Column("session_id", sa.Uuid()),
        sa.Column("came_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("clock_uncertainty_ms", sa.Integer()),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("passed_at", sa.DateTime(timezone=True)),
        sa.Column("review", sa.String()),
        sa.Column("next_try_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("operator_id", "id", name=op.f("pk_offline_passages")),
        postgresql_partition_by="RANGE (id)",
    )
    op.create_index(
        "ix_offline_passages_open",
        "offline_passages",
        ["operator_id", "place_id", "plate_index"],
        postgresql_where=sa.text("state IN ('pending', 'unmatched')"),
    )
    op.create_index(
        "ix_offline_passages_presentation", "offline_passages", ["operator_id", "presentation_id"]
    )
    op.create_index(
        "ix_offline_passages_due",
        "offline_passages",
        ["next_try_at"],
        postgresql_where=sa.text("next_try_at IS NOT NULL"),
    )
    # Rows whose id carries a time outside every month: a gate with a wrong clock.
    op.execute("CREATE TABLE offline_passages_default PARTITION OF offline_passages DEFAULT")


def downgrade() -> None:
    op.drop_table("offline_passages")
    op.drop_table("offline_policies")
    op.drop_table("offline_settings")

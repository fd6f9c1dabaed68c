"""circumstances of stays, vehicle records, validations and allowances

Revision: 0006, after 0005, 2026-11-23 06:11:00.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "sessions", sa.Column("circumstances", JSONB(), nullable=False, server_default="{}")
    )
    op.alter_column("sessions", "circumstances", server_default=None)
    op.create_table(
        "vehicle_records",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("plate_index", sa.Uuid(), nullable=False),
        sa.Column("plate_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("vehicle_class", sa.String(), nullable=False),
        sa.Column("is_ev", sa.Boolean(), nullable=True),
        sa.Column("is_resident", sa.Boolean(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("recorded_by", sa.String(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("operator_id", "plate_index", name=op.f("pk_vehicle_records")),
    )
    op.create_table(
        "session_validations",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("merchant", sa.String(), nullable=True),
        sa.Column("granted_by", sa.String(), nullable=False),
        sa.Column("granted_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("operator_id", "id", name=op.f("pk_session_validations")),
        postgresql_partition_by="RANGE (id)",
    )
    # Rows whose id carries a time outside every month: a gate with a wrong clock.
    op.execute("CREATE TABLE session_validations_default PARTITION OF session_validations DEFAULT")
    op.create_index(
        "ix_session_validations_session",
        "session_validations",
        ["operator_id", "session_id"],
        unique=False,
    )
    op.create_table(
        "allowance_uses",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("place_id", sa.Uuid(), nullable=False),
        sa.Column("plate_index", sa.Uuid(), nullable=False),
        sa.Column("allowance", sa.String(), nullable=False),
        sa.Column("period", sa.String(), nullable=False),
        sa.Column("used_s", sa.Integer(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("used_s >= 0", name=op.f("ck_allowance_uses_used_not_negative")),
        sa.PrimaryKeyConstraint(
            "operator_id",
            "place_id",
            "plate_index",
            "allowance",
            "period",
            name=op.f("pk_allowance_uses"),
        ),
    )
    op.create_table(
        "departures",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("place_id", sa.Uuid(), nullable=False),
        sa.Column("plate_index", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("left_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("merge_until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint(
            "operator_id", "place_id", "plate_index", name=op.f("pk_departures")
        ),
    )


def downgrade() -> None:
    op.drop_table("departures")
    op.drop_table("allowance_uses")
    op.drop_index("ix_session_validations_session", table_name="session_validations")
    op.drop_table("session_validations")
    op.drop_table("vehicle_records")
    op.drop_column("sessions", "circumstances")

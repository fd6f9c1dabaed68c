"""passes

Revision: 0004, after 0003, 2026-11-23 06:06:00.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "right_specifications",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("place_ids", JSONB(), nullable=False),
        sa.Column("area_id", sa.Uuid(), nullable=True),
        sa.Column("timezone", sa.String(), nullable=False),
        sa.Column("weekdays", JSONB(), nullable=False),
        sa.Column("from_minute", sa.Integer(), nullable=False),
        sa.Column("to_minute", sa.Integer(), nullable=False),
        sa.Column("price_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("period", sa.String(32), nullable=False),
        sa.Column("period_days", sa.Integer(), nullable=True),
        sa.Column("is_prorated", sa.Boolean(), nullable=False),
        sa.Column("plates_max", sa.Integer(), nullable=False),
        sa.Column("spaces", sa.Integer(), nullable=False),
        sa.Column("renews_by_default", sa.Boolean(), nullable=False),
        sa.Column("notice_days", sa.Integer(), nullable=False),
        sa.Column("retry_days", JSONB(), nullable=False),
        sa.Column("grace_days", sa.Integer(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=True),
        sa.Column("sold", sa.Integer(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("is_on_sale", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.CheckConstraint(
            "price_minor >= 0", name=op.f("ck_right_specifications_price_not_negative")
        ),
        sa.CheckConstraint(
            "quantity IS NULL OR sold <= quantity",
            name=op.f("ck_right_specifications_not_oversold"),
        ),
        sa.CheckConstraint("sold >= 0", name=op.f("ck_right_specifications_sold_not_negative")),
        sa.ForeignKeyConstraint(
            ["operator_id"], ["operators.id"], name=op.f("fk_right_specifications_operator_id")
        ),
        sa.PrimaryKeyConstraint("operator_id", "id", name=op.f("pk_right_specifications")),
    )
    op.create_table(
        "assigned_rights",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("specification_id", sa.Uuid(), nullable=False),
        sa.Column("driver_id", sa.Uuid(), nullable=True),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("renews", sa.Boolean(), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("paid_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("periods", sa.Integer(), nullable=False),
        sa.Column("price_minor", sa.BigInteger(), nullable=False),
        sa.Column("paid_minor", sa.BigInteger(), nullable=False),
        sa.Column("bill_id", sa.Uuid(), nullable=True),
        sa.Column("announced_minor", sa.BigInteger(), nullable=True),
        sa.Column("announced_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("tried_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stays_stale", sa.Boolean(), nullable=False),
        sa.Column("next_step_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["operator_id", "specification_id"],
            ["right_specifications.operator_id", "right_specifications.id"],
            name=op.f("fk_assigned_rights_operator_id_specification_id"),
        ),
        sa.PrimaryKeyConstraint("operator_id", "id", name=op.f("pk_assigned_rights")),
    )
    op.create_index(
        "ix_assigned_rights_due",
        "assigned_rights",
        ["next_step_at"],
        unique=False,
        postgresql_where="next_step_at IS NOT NULL",
    )
    op.create_index(
        "ix_assigned_rights_specification",
        "assigned_rights",
        ["operator_id", "specification_id", "id"],
        unique=False,
    )
    op.create_table(
        "right_plates",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("right_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("plate_index", sa.Uuid(), nullable=False),
        sa.Column("plate_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["operator_id", "right_id"],
            ["assigned_rights.operator_id", "assigned_rights.id"],
            name=op.f("fk_right_plates_operator_id_right_id"),
        ),
        sa.PrimaryKeyConstraint("operator_id", "right_id", "id", name=op.f("pk_right_plates")),
    )
    op.create_index(
        "ix_right_plates_plate",
        "right_plates",
        ["plate_index", "operator_id"],
        unique=False,
        postgresql_where="removed_at IS NULL",
    )
    op.create_index(
        "uq_right_plates_active",
        "right_plates",
        ["operator_id", "right_id", "plate_index"],
        unique=True,
        postgresql_where="removed_at IS NULL",
    )
    op.create_table(
        "right_spaces",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("right_id", sa.Uuid(), nullable=False),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("place_id", sa.Uuid(), nullable=False),
        sa.Column("area_id", sa.Uuid(), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("operator_id", "right_id", "slot", name=op.f("pk_right_spaces")),
        sa.UniqueConstraint(
            "operator_id",
            "session_id",
            "right_id",
            name=op.f("uq_right_spaces_operator_id_session_id_right_id"),
        ),
    )
    op.create_table(
        "driver_rights",
        sa.Column("driver_id", sa.Uuid(), nullable=False),
        sa.Column("right_id", sa.Uuid(), nullable=False),
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("request_key", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("driver_id", "right_id", name=op.f("pk_driver_rights")),
        sa.UniqueConstraint(
            "driver_id", "request_key", name=op.f("uq_driver_rights_driver_id_request_key")
        ),
    )


def downgrade() -> None:
    op.drop_table("driver_rights")
    op.drop_table("right_spaces")
    op.drop_index(
        "uq_right_plates_active", table_name="right_plates", postgresql_where="removed_at IS NULL"
    )
    op.drop_index(
        "ix_right_plates_plate", table_name="right_plates", postgresql_where="removed_at IS NULL"
    )
    op.drop_table("right_plates")
    op.drop_index("ix_assigned_rights_specification", table_name="assigned_rights")
    op.drop_index(
        "ix_assigned_rights_due",
        table_name="assigned_rights",
        postgresql_where="next_step_at IS NOT NULL",
    )
    op.drop_table("assigned_rights")
    op.drop_table("right_specifications")

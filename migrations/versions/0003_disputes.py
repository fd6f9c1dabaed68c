"""disputes, and what a read says of each of its characters

Revision: 0003, after 0002, 2026-11-23 06:02:00.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "observations",
        sa.Column("characters", JSONB(), nullable=False, server_default=sa.text("'[]'::jsonb")),
    )
    # Only the rows of before need a value: every new one brings its own.
    op.alter_column("observations", "characters", server_default=None)
    op.add_column("observations", sa.Column("region", sa.String(), nullable=True))
    op.create_table(
        "disputes",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("bill_id", sa.Uuid(), nullable=False),
        sa.Column("place_id", sa.Uuid(), nullable=False),
        sa.Column("driver_id", sa.Uuid(), nullable=False),
        sa.Column("line_index", sa.Integer(), nullable=True),
        sa.Column("reason", sa.String(32), nullable=False),
        sa.Column("opened_by", sa.String(32), nullable=False),
        sa.Column("comment_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("evidence", JSONB(), nullable=False),
        sa.Column("staff_cause", sa.String(), nullable=True),
        sa.Column("later_presentation_id", sa.Uuid(), nullable=True),
        sa.Column("is_review_due", sa.Boolean(), nullable=False),
        sa.Column("reviewed_by", sa.String(), nullable=True),
        sa.Column("reviewed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decision", JSONB(), nullable=True),
        sa.Column("decided_by", sa.String(), nullable=True),
        sa.Column("words_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("refunded_minor", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("operator_id", "id", name=op.f("pk_disputes")),
        postgresql_partition_by="RANGE (id)",
    )
    op.create_index("ix_disputes_session", "disputes", ["operator_id", "session_id"])
    op.create_index("ix_disputes_state", "disputes", ["operator_id", "state", "id"])
    op.create_index(
        "ix_disputes_due",
        "disputes",
        ["next_try_at"],
        postgresql_where="next_try_at IS NOT NULL",
    )
    op.create_index(
        "ix_disputes_review", "disputes", ["operator_id", "id"], postgresql_where="is_review_due"
    )
    # Rows whose id carries a time outside every month: a gate with a wrong clock.
    op.execute("CREATE TABLE disputes_default PARTITION OF disputes DEFAULT")
    op.create_table(
        "driver_disputes",
        sa.Column("driver_id", sa.Uuid(), nullable=False),
        sa.Column("dispute_id", sa.Uuid(), nullable=False),
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("bill_id", sa.Uuid(), nullable=False),
        sa.Column("line_index", sa.Integer(), nullable=False),
        sa.Column("is_automatic", sa.Boolean(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["driver_id"], ["drivers.id"], name=op.f("fk_driver_disputes_driver_id")
        ),
        sa.PrimaryKeyConstraint("driver_id", "dispute_id", name=op.f("pk_driver_disputes")),
    )
    op.create_index(
        "uq_driver_disputes_open",
        "driver_disputes",
        ["driver_id", "bill_id", "line_index"],
        unique=True,
        postgresql_where="closed_at IS NULL",
    )
    op.create_table(
        "misread_suspicions",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("presentation_id", sa.Uuid(), nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint(
            "operator_id", "presentation_id", name=op.f("pk_misread_suspicions")
        ),
    )
    op.create_index("ix_misread_suspicions_due", "misread_suspicions", ["next_try_at"])


def downgrade() -> None:
    op.drop_index("ix_misread_suspicions_due", table_name="misread_suspicions")
    op.drop_table("misread_suspicions")
    op.drop_index(
        "uq_driver_disputes_open",
        table_name="driver_disputes",
        postgresql_where="closed_at IS NULL",
    )
    op.drop_table("driver_disputes")
    op.drop_index("ix_disputes_review", table_name="disputes", postgresql_where="is_review_due")
    op.drop_index(
        "ix_disputes_due", table_name="disputes", postgresql_where="next_try_at IS NOT NULL"
    )
    op.drop_index("ix_disputes_state", table_name="disputes")
    op.drop_index("ix_disputes_session", table_name="disputes")
    op.drop_table("disputes")
    op.drop_column("observations", "region")
    op.drop_column("observations", "characters")

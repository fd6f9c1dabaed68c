"""notices of drivers, how they want to be told, and what came of each delivery

Revision: 0028, after 0027, 2026-11-23 21:31:00.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "notice_books",
        sa.Column("driver_id", sa.Uuid(), nullable=False),
        sa.Column("last_number", sa.Integer(), nullable=False),
        sa.Column("muted", JSONB(), nullable=False),
        sa.Column("quiet_starts_at", sa.Time(), nullable=True),
        sa.Column("quiet_ends_at", sa.Time(), nullable=True),
        sa.Column("quiet_timezone", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["driver_id"], ["drivers.id"], name=op.f("fk_notice_books_driver_id")
        ),
        sa.PrimaryKeyConstraint("driver_id", name=op.f("pk_notice_books")),
    )
    op.create_table(
        "notices",
        sa.Column("driver_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("event_type", sa.String(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("category", sa.String(32), nullable=False),
        sa.Column("template", sa.String(), nullable=False),
        sa.Column("arguments", JSONB(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["driver_id"], ["drivers.id"], name=op.f("fk_notices_driver_id")),
        sa.PrimaryKeyConstraint("driver_id", "id", name=op.f("pk_notices")),
        postgresql_partition_by="RANGE (id)",
    )
    op.create_index("ix_notices_number", "notices", ["driver_id", "number"])
    op.create_index(
        "ix_notices_unacknowledged",
        "notices",
        ["driver_id", "number"],
        postgresql_where="acknowledged_at IS NULL",
    )
    # Rows whose id carries a time outside every month: a gate with a wrong clock.
    op.execute("CREATE TABLE notices_default PARTITION OF notices DEFAULT")
    op.add_column("deliveries", sa.Column("operator_id", sa.Uuid(), nullable=True))
    op.add_column("deliveries", sa.Column("subject_id", sa.Uuid(), nullable=True))
    op.add_column("deliveries", sa.Column("reference", sa.String(), nullable=True))
    op.add_column(
        "deliveries", sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.create_index(
        "ix_deliveries_subject", "deliveries", ["operator_id", "subject_id", "driver_id"]
    )
    op.add_column("devices", sa.Column("push_keys", JSONB(), nullable=True))


def downgrade() -> None:
    op.drop_column("devices", "push_keys")
    op.drop_index("ix_deliveries_subject", table_name="deliveries")
    for name in ("acknowledged_at", "reference", "subject_id", "operator_id"):
        op.drop_column("deliveries", name)
    op.drop_table("notices")
    op.drop_table("notice_books")

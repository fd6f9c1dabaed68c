"""chargebacks, and payments found by their provider's id

Revision: 0012, after 0011, 2026-11-23 09:26:00.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "chargebacks",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("attempt_id", sa.Uuid(), nullable=False),
        sa.Column("bill_id", sa.Uuid(), nullable=False),
        sa.Column("owed_bill_id", sa.Uuid(), nullable=True),
        sa.Column("session_id", sa.Uuid(), nullable=True),
        sa.Column("pass_id", sa.Uuid(), nullable=True),
        sa.Column("driver_id", sa.Uuid(), nullable=True),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_chargebacks_amount_positive")),
        sa.PrimaryKeyConstraint("operator_id", "id", name=op.f("pk_chargebacks")),
        postgresql_partition_by="RANGE (id)",
    )
    op.create_index("ix_chargebacks_attempt", "chargebacks", ["operator_id", "attempt_id"])
    op.create_index("ix_chargebacks_status", "chargebacks", ["operator_id", "status", "id"])
    op.create_index("ix_chargebacks_driver", "chargebacks", ["operator_id", "driver_id"])
    op.execute("CREATE TABLE chargebacks_default PARTITION OF chargebacks DEFAULT")
    op.add_column(
        "owed_bills",
        sa.Column("is_contested", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.alter_column("owed_bills", "is_contested", server_default=None)
    op.create_index(
        "ix_payment_attempts_reference",
        "payment_attempts",
        ["provider_reference"],
        unique=False,
        postgresql_where="provider_reference IS NOT NULL",
    )


def downgrade() -> None:
    op.drop_index(
        "ix_payment_attempts_reference",
        table_name="payment_attempts",
        postgresql_where="provider_reference IS NOT NULL",
    )
    op.drop_column("owed_bills", "is_contested")
    op.drop_index("ix_chargebacks_driver", table_name="chargebacks")
    op.drop_index("ix_chargebacks_status", table_name="chargebacks")
    op.drop_index("ix_chargebacks_attempt", table_name="chargebacks")
    op.drop_table("chargebacks")

"""reconciliation: days to compare, runs and differences, and what finds a day's payments

Revision: 0010, after 0009, 2026-11-23 09:15:00.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("payment_attempts", "refunds"):
        op.create_index(
            f"ix_{table}_succeeded",
            table,
            ["operator_id", "provider", "finished_at"],
            postgresql_where="state = 'succeeded'",
        )
    op.create_table(
        "settlement_days",
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("provider", "day", name=op.f("pk_settlement_days")),
    )
    op.create_index(
        "ix_settlement_days_due",
        "settlement_days",
        ["next_try_at"],
        postgresql_where="next_try_at IS NOT NULL",
    )
    op.create_table(
        "reconciliation_runs",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("timezone", sa.String(), nullable=False),
        sa.Column("differences", sa.Integer(), nullable=False),
        sa.Column("totals", JSONB(), nullable=False),
        sa.Column("openings", JSONB(), nullable=False),
        sa.Column("is_provisional", sa.Boolean(), nullable=False),
        sa.Column("ran_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("operator_id", "id", name=op.f("pk_reconciliation_runs")),
        postgresql_partition_by="RANGE (id)",
    )
    op.create_index(
        "ix_reconciliation_runs_day", "reconciliation_runs", ["operator_id", "provider", "day"]
    )
    # Rows whose id carries a time outside every month: a provider with a wrong clock.
    op.execute("CREATE TABLE reconciliation_runs_default PARTITION OF reconciliation_runs DEFAULT")
    op.create_table(
        "reconciliation_differences",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("movement", sa.String(), nullable=True),
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("bill_id", sa.Uuid(), nullable=True),
        sa.Column("session_id", sa.Uuid(), nullable=True),
        sa.Column("ours_minor", sa.BigInteger(), nullable=True),
        sa.Column("ours_currency", sa.String(), nullable=True),
        sa.Column("theirs_minor", sa.BigInteger(), nullable=True),
        sa.Column("theirs_currency", sa.String(), nullable=True),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("first_run_id", sa.Uuid(), nullable=False),
        sa.Column("last_run_id", sa.Uuid(), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolved_by", sa.String(), nullable=True),
        sa.Column("note_sealed", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("operator_id", "id", name=op.f("pk_reconciliation_differences")),
        postgresql_partition_by="RANGE (id)",
    )
    op.create_index(
        "ix_reconciliation_differences_state",
        "reconciliation_differences",
        ["operator_id", "state", "id"],
    )
    op.create_index(
        "ix_reconciliation_differences_day",
        "reconciliation_differences",
        ["operator_id", "provider", "day"],
    )
    op.create_index(
        "ix_reconciliation_differences_open",
        "reconciliation_differences",
        ["code"],
        postgresql_where="state = 'open'",
    )
    op.execute(
        "CREATE TABLE reconciliation_differences_default "
        "PARTITION OF reconciliation_differences DEFAULT"
    )


def downgrade() -> None:
    op.drop_table("reconciliation_differences")
    op.drop_table("reconciliation_runs")
    op.drop_table("settlement_days")
    for table in ("refunds", "payment_attempts"):
        op.drop_index(f"ix_{table}_succeeded", table_name=table)

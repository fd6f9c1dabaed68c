"""corrected bills and refunds

Revision: 0002, after 0001, 2026-11-23 06:05:00.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

PARTITIONED = ("bill_corrections", "refunds")

# What an issued bill says is corrected by a new version, never by changing it. The function is the
# ledger's: it lets rows move to their partition, and nothing else.
CONTENT = (
    "operator_id",
    "id",
    "session_id",
    "pass_id",
    "place_id",
    "rate_table_id",
    "version",
    "corrects_id",
    "total_minor",
    "currency",
    "lines",
    "basis",
    "priced_until",
    "issued_at",
)
REFUSE_CONTENT = f"""
CREATE TRIGGER refuse_content BEFORE UPDATE ON bills FOR EACH ROW
WHEN (
    ({", ".join(f"NEW.{name}" for name in CONTENT)})
    IS DISTINCT FROM ({", ".join(f"OLD.{name}" for name in CONTENT)})
    OR (OLD.paid_at IS NOT NULL AND NEW.paid_at IS DISTINCT FROM OLD.paid_at)
    OR (
        OLD.paid_attempt_id IS NOT NULL
        AND NEW.paid_attempt_id IS DISTINCT FROM OLD.paid_attempt_id
    )
)
EXECUTE FUNCTION refuse_change()
"""
# What is paid stays paid, until a newer version counts; what was replaced stays replaced.
REFUSE_WAY_BACK = """
CREATE TRIGGER refuse_way_back BEFORE UPDATE OF state ON bills FOR EACH ROW
WHEN (
    NEW.state <> OLD.state AND (
        NEW.state = 'issued'
        OR OLD.state IN ('void', 'corrected')
        OR (OLD.state = 'paid' AND NEW.state <> 'corrected')
    )
)
EXECUTE FUNCTION refuse_change()
"""
REFUSE_DELETE = """
CREATE TRIGGER refuse_delete BEFORE DELETE ON bills FOR EACH ROW EXECUTE FUNCTION refuse_change()
"""
# Bills that were paid before they said by which attempt.
FILL_PAID_ATTEMPT = """
UPDATE bills SET paid_attempt_id = payment_attempts.id FROM payment_attempts
WHERE payment_attempts.operator_id = bills.operator_id AND payment_attempts.bill_id = bills.id
AND payment_attempts.state = 'succeeded' AND bills.state = 'paid'
"""


def upgrade() -> None:
    op.alter_column("bills", "session_id", nullable=True)
    op.alter_column("bills", "place_id", nullable=True)
    op.alter_column("bills", "rate_table_id", nullable=True)
    op.add_column("bills", sa.Column("pass_id", sa.Uuid(), nullable=True))
    op.add_column("bills", sa.Column("version", sa.Integer(), nullable=False, server_default="1"))
    op.add_column("bills", sa.Column("corrects_id", sa.Uuid(), nullable=True))
    op.add_column("bills", sa.Column("basis", JSONB(), nullable=False, server_default="{}"))
    op.add_column("bills", sa.Column("paid_attempt_id", sa.Uuid(), nullable=True))
    op.alter_column("bills", "version", server_default=None)
    op.alter_column("bills", "basis", server_default=None)
    op.create_check_constraint(
        op.f("ck_bills_one_subject"), "bills", "num_nonnulls(session_id, pass_id) = 1"
    )
    op.create_check_constraint(
        op.f("ck_bills_stay_has_table"),
        "bills",
        "session_id IS NULL OR num_nulls(place_id, rate_table_id) = 0",
    )
    op.create_index(
        "ix_bills_pass",
        "bills",
        ["operator_id", "pass_id"],
        unique=False,
        postgresql_where="pass_id IS NOT NULL",
    )
    op.alter_column("payment_attempts", "session_id", nullable=True)
    op.add_column("payment_attempts", sa.Column("pass_id", sa.Uuid(), nullable=True))
    op.create_check_constraint(
        op.f("ck_payment_attempts_one_subject"),
        "payment_attempts",
        "num_nonnulls(session_id, pass_id) = 1",
    )
    op.execute(FILL_PAID_ATTEMPT)
    _create_refunds()
    _create_bill_corrections()
    for table in PARTITIONED:
        # Rows whose id carries a time outside every month: a gate with a wrong clock.
        op.execute(f"CREATE TABLE {table}_default PARTITION OF {table} DEFAULT")
    for trigger in (REFUSE_CONTENT, REFUSE_WAY_BACK, REFUSE_DELETE):
        op.execute(trigger)


def _create_refunds() -> None:
    op.create_table(
        "refunds",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("bill_id", sa.Uuid(), nullable=False),
        sa.Column("attempt_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=True),
        sa.Column("pass_id", sa.Uuid(), nullable=True),
        sa.Column("driver_id", sa.Uuid(), nullable=True),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("charge_number", sa.String(), nullable=False),
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("requested_by", sa.String(), nullable=False),
        sa.Column("failure_code", sa.String(), nullable=True),
        sa.Column("queries", sa.Integer(), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_query_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_refunds_amount_positive")),
        sa.CheckConstraint(
            "num_nonnulls(session_id, pass_id) = 1", name=op.f("ck_refunds_one_subject")
        ),
        sa.PrimaryKeyConstraint("operator_id", "id", name=op.f("pk_refunds")),
        postgresql_partition_by="RANGE (id)",
    )
    op.create_index("ix_refunds_attempt", "refunds", ["operator_id", "attempt_id"], unique=False)
    op.create_index("ix_refunds_session", "refunds", ["operator_id", "session_id"], unique=False)
    op.create_index(
        "ix_refunds_pass",
        "refunds",
        ["operator_id", "pass_id"],
        unique=False,
        postgresql_where="pass_id IS NOT NULL",
    )
    op.create_index(
        "ix_refunds_due",
        "refunds",
        ["next_query_at"],
        unique=False,
        postgresql_where="state IN ('sent', 'accepted', 'unknown')",
    )
    op.create_index("ix_refunds_state", "refunds", ["operator_id", "state", "id"], unique=False)


def _create_bill_corrections() -> None:
    op.create_table(
        "bill_corrections",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("before_minor", sa.BigInteger(), nullable=False),
        sa.Column("after_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("changes", JSONB(), nullable=False),
        sa.Column("bill_ids", JSONB(), nullable=False),
        sa.Column("refund_ids", JSONB(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("corrected_by", sa.String(), nullable=False),
        sa.Column("corrected_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("operator_id", "id", name=op.f("pk_bill_corrections")),
        postgresql_partition_by="RANGE (id)",
    )
    op.create_index(
        "ix_bill_corrections_session",
        "bill_corrections",
        ["operator_id", "session_id"],
        unique=False,
    )


def downgrade() -> None:
    op.drop_index("ix_bill_corrections_session", table_name="bill_corrections")
    op.drop_table("bill_corrections")
    op.drop_index("ix_refunds_state", table_name="refunds")
    op.drop_index(
        "ix_refunds_due",
        table_name="refunds",
        postgresql_where="state IN ('sent', 'accepted', 'unknown')",
    )
    op.drop_index("ix_refunds_pass", table_name="refunds", postgresql_where="pass_id IS NOT NULL")
    op.drop_index("ix_refunds_session", table_name="refunds")
    op.drop_index("ix_refunds_attempt", table_name="refunds")
    op.drop_table("refunds")
    for trigger in ("refuse_content", "refuse_way_back", "refuse_delete"):
        op.execute(f"DROP TRIGGER {trigger} ON bills")
    op.drop_constraint(op.f("ck_payment_attempts_one_subject"), "payment_attempts")
    op.drop_column("payment_attempts", "pass_id")
    op.alter_column("payment_attempts", "session_id", nullable=False)
    op.drop_index("ix_bills_pass", table_name="bills", postgresql_where="pass_id IS NOT NULL")
    op.drop_constraint(op.f("ck_bills_stay_has_table"), "bills")
    op.drop_constraint(op.f("ck_bills_one_subject"), "bills")
    for column in ("paid_attempt_id", "basis", "corrects_id", "version", "pass_id"):
        op.drop_column("bills", column)
    for column in ("rate_table_id", "place_id", "session_id"):
        op.alter_column("bills", column, nullable=False)

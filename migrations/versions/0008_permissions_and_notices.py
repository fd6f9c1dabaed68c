"""confirmed terms and uses of mandates, taken notices, attempts that need a person

Revision: 0008, after 0007, 2026-11-23 09:10:00.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# What is charged on the day of the change counts towards that day's limit.
FILL_USES = """
INSERT INTO mandate_uses (driver_id, id, mandate_id, amount_minor, currency, used_at)
SELECT driver_id, id, mandate_id, amount_minor, currency, sent_at FROM payment_attempts
WHERE driver_id IS NOT NULL AND mandate_id IS NOT NULL AND state <> 'failed'
    AND sent_at > now() - interval '2 days'
"""
# Two providers may name their agreements alike.
NAME_PROVIDERS = """
UPDATE provider_orders SET number = mandates.provider || ':' || provider_orders.number
FROM mandates WHERE provider_orders.kind = 'agreement'
    AND mandates.driver_id = provider_orders.owner_id AND mandates.id = provider_orders.subject_id
"""
FORGET_PROVIDERS = """
UPDATE provider_orders SET number = substr(number, strpos(number, ':') + 1)
WHERE kind = 'agreement'
"""


def upgrade() -> None:
    op.add_column(
        "mandates", sa.Column("revision", sa.Integer(), nullable=False, server_default="1")
    )
    op.alter_column("mandates", "revision", server_default=None)
    op.add_column("mandates", sa.Column("signed_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("mandates", sa.Column("cancel_due_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column(
        "mandates", sa.Column("cancel_tries", sa.Integer(), nullable=False, server_default="0")
    )
    op.alter_column("mandates", "cancel_tries", server_default=None)
    op.execute("UPDATE mandates SET signed_at = activated_at")
    op.create_index(
        "ix_mandates_plate",
        "mandates",
        ["plate_index"],
        unique=False,
        postgresql_where="plate_index IS NOT NULL AND state <> 'revoked'",
    )
    op.create_index(
        "ix_mandates_cancel_due",
        "mandates",
        ["cancel_due_at"],
        unique=False,
        postgresql_where="cancel_due_at IS NOT NULL",
    )
    op.add_column("payment_attempts", sa.Column("problem", sa.String(32), nullable=True))
    op.add_column("payment_attempts", sa.Column("ended_by", sa.String(), nullable=True))
    op.add_column("payment_attempts", sa.Column("ended_reason", sa.String(), nullable=True))
    op.create_index(
        "ix_payment_attempts_problem",
        "payment_attempts",
        ["operator_id", "id"],
        unique=False,
        postgresql_where="problem IS NOT NULL",
    )
    op.create_table(
        "mandate_consents",
        sa.Column("driver_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("mandate_id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("locale", sa.String(), nullable=False),
        sa.Column("terms_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("driver_id", "id", name=op.f("pk_mandate_consents")),
    )
    op.create_index(
        "ix_mandate_consents_mandate", "mandate_consents", ["driver_id", "mandate_id"], unique=False
    )
    op.create_table(
        "mandate_uses",
        sa.Column("driver_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("mandate_id", sa.Uuid(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("driver_id", "id", name=op.f("pk_mandate_uses")),
    )
    op.create_index(
        "ix_mandate_uses_mandate",
        "mandate_uses",
        ["driver_id", "mandate_id", "used_at"],
        unique=False,
    )
    op.create_table(
        "provider_notices",
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("notice_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("provider", "notice_id", name=op.f("pk_provider_notices")),
    )
    op.create_index("ix_provider_notices_taken", "provider_notices", ["taken_at"], unique=False)
    op.execute(FILL_USES)
    op.execute(NAME_PROVIDERS)


def downgrade() -> None:
    op.execute(FORGET_PROVIDERS)
    for table in ("provider_notices", "mandate_uses", "mandate_consents"):
        op.drop_table(table)
    op.drop_index("ix_payment_attempts_problem", table_name="payment_attempts")
    for column in ("ended_reason", "ended_by", "problem"):
        op.drop_column("payment_attempts", column)
    op.drop_index("ix_mandates_cancel_due", table_name="mandates")
    op.drop_index("ix_mandates_plate", table_name="mandates")
    for column in ("cancel_tries", "cancel_due_at", "signed_at", "revision"):
        op.drop_column("mandates", column)

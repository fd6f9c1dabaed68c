"""merchants near the places, and the stays that they validated

Revision: 0037, after 0036, 2026-11-24 00:30:00.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "merchants",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("category", sa.String(), nullable=False),
        sa.Column("place_ids", JSONB(), nullable=True),
        sa.Column("latitude_e6", sa.Integer(), nullable=True),
        sa.Column("longitude_e6", sa.Integer(), nullable=True),
        sa.Column("timezone", sa.String(), nullable=False),
        sa.Column("opening_hours", JSONB(), nullable=False),
        sa.Column("key_digest", sa.LargeBinary(), nullable=True),
        sa.Column("key_rotated_at", moment, nullable=True),
        sa.Column("validation", sa.String(), nullable=True),
        sa.Column("validation_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("budget_minor", sa.BigInteger(), nullable=True),
        sa.Column("budget_month_minor", sa.BigInteger(), nullable=True),
        sa.Column("spent_minor", sa.BigInteger(), nullable=False),
        sa.Column("month", sa.String(), nullable=False),
        sa.Column("spent_month_minor", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("disabled_at", moment, nullable=True),
        sa.CheckConstraint("validation_minor >= 0", name=op.f("ck_merchants_price_not_negative")),
        sa.CheckConstraint(
            "0 <= spent_minor AND (budget_minor IS NULL OR spent_minor <= budget_minor)",
            name=op.f("ck_merchants_within_budget"),
        ),
        sa.CheckConstraint("0 <= spent_month_minor", name=op.f("ck_merchants_month_not_negative")),
        sa.ForeignKeyConstraint(
            ["operator_id"], ["operators.id"], name=op.f("fk_merchants_operator_id")
        ),
        sa.PrimaryKeyConstraint("operator_id", "id", name=op.f("pk_merchants")),
    )
    op.create_index(
        "uq_merchants_key",
        "merchants",
        ["key_digest"],
        unique=True,
        postgresql_where="key_digest IS NOT NULL",
    )
    op.create_table(
        "merchant_validations",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("validation", sa.String(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("month", sa.String(), nullable=False),
        sa.Column("way", sa.String(), nullable=False),
        sa.Column("granted_at", moment, nullable=False),
        sa.ForeignKeyConstraint(
            ["operator_id", "merchant_id"],
            ["merchants.operator_id", "merchants.id"],
            name=op.f("fk_merchant_validations_operator_id_merchant_id"),
        ),
        sa.PrimaryKeyConstraint("operator_id", "id", name=op.f("pk_merchant_validations")),
    )
    op.create_index(
        "ix_merchant_validations_merchant",
        "merchant_validations",
        ["operator_id", "merchant_id", "id"],
    )
    op.create_index(
        "ix_merchant_validations_session", "merchant_validations", ["operator_id", "session_id"]
    )


def downgrade() -> None:
    op.drop_table("merchant_validations")
    op.drop_table("merchants")

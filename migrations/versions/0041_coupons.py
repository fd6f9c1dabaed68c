"""coupons: what they are, by which code they come, and who holds them

Revision: 0041, after 0040, 2026-11-24 00:35:00.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None

_DEFINITION = ["coupon_definitions.operator_id", "coupon_definitions.id"]


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "coupon_definitions",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=True),
        sa.Column("amount_minor_max", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("group_name", sa.String(), nullable=False),
        sa.Column("is_exclusive", sa.Boolean(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("place_ids", JSONB(), nullable=True),
        sa.Column("valid_from", moment, nullable=False),
        sa.Column("valid_until", moment, nullable=False),
        sa.Column("valid_days", sa.Integer(), nullable=True),
        sa.Column("stay_number", sa.Integer(), nullable=True),
        sa.Column("driver_max", sa.Integer(), nullable=False),
        sa.Column("claims_max", sa.Integer(), nullable=True),
        sa.Column("claims", sa.Integer(), nullable=False),
        sa.Column("budget_minor", sa.BigInteger(), nullable=True),
        sa.Column("reserved_minor", sa.BigInteger(), nullable=False),
        sa.Column("spent_minor", sa.BigInteger(), nullable=False),
        sa.Column("merchant_id", sa.Uuid(), nullable=True),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("approved_by", sa.String(), nullable=True),
        sa.Column("approved_at", moment, nullable=True),
        sa.Column("ended_at", moment, nullable=True),
        sa.CheckConstraint(
            "0 <= claims AND (claims_max IS NULL OR claims <= claims_max)",
            name=op.f("ck_coupon_definitions_claims_in_limit"),
        ),
        sa.CheckConstraint(
            "0 <= reserved_minor AND 0 <= spent_minor"
            " AND (budget_minor IS NULL OR reserved_minor + spent_minor <= budget_minor)",
            name=op.f("ck_coupon_definitions_within_budget"),
        ),
        sa.ForeignKeyConstraint(
            ["operator_id"], ["operators.id"], name=op.f("fk_coupon_definitions_operator_id")
        ),
        sa.PrimaryKeyConstraint("operator_id", "id", name=op.f("pk_coupon_definitions")),
    )
    op.create_table(
        "coupon_codes",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("definition_id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("claims_max", sa.Integer(), nullable=False),
        sa.Column("claims", sa.Integer(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.CheckConstraint(
            "0 <= claims AND claims <= claims_max", name=op.f("ck_coupon_codes_claims_in_limit")
        ),
        sa.ForeignKeyConstraint(
            ["operator_id", "definition_id"],
            _DEFINITION,
            name=op.f("fk_coupon_codes_operator_id_definition_id"),
        ),
        sa.PrimaryKeyConstraint("operator_id", "id", name=op.f("pk_coupon_codes")),
    )
    op.create_index("uq_coupon_codes_digest", "coupon_codes", ["digest"], unique=True)
    op.create_index(
        "ix_coupon_codes_definition", "coupon_codes", ["operator_id", "definition_id", "id"]
    )
    op.create_table(
        "driver_coupons",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("definition_id", sa.Uuid(), nullable=False),
        sa.Column("driver_id", sa.Uuid(), nullable=False),
        sa.Column("code_id", sa.Uuid(), nullable=True),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=True),
        sa.Column("choice", sa.String(), nullable=False),
        sa.Column("held_minor", sa.BigInteger(), nullable=False),
        sa.Column("discount_minor", sa.BigInteger(), nullable=False),
        sa.Column("bill_id", sa.Uuid(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("claimed_at", moment, nullable=False),
        sa.Column("expires_at", moment, nullable=False),
        sa.Column("changed_at", moment, nullable=False),
        sa.CheckConstraint(
            "0 <= held_minor AND 0 <= discount_minor",
            name=op.f("ck_driver_coupons_amounts_not_negative"),
        ),
        sa.ForeignKeyConstraint(
            ["operator_id", "definition_id"],
            _DEFINITION,
            name=op.f("fk_driver_coupons_operator_id_definition_id"),
        ),
        sa.PrimaryKeyConstraint("operator_id", "id", name=op.f("pk_driver_coupons")),
    )
    op.create_index("ix_driver_coupons_driver", "driver_coupons", ["driver_id", "id"])
    op.create_index(
        "ix_driver_coupons_definition",
        "driver_coupons",
        ["operator_id", "definition_id", "driver_id"],
    )
    op.create_index(
        "ix_driver_coupons_session",
        "driver_coupons",
        ["operator_id", "session_id"],
        postgresql_where="session_id IS NOT NULL",
    )
    op.create_index(
        "ix_driver_coupons_expires",
        "driver_coupons",
        ["expires_at"],
        postgresql_where="state = 'available'",
    )
    op.create_table(
        "coupon_tries",
        sa.Column("driver_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("driver_id", "day", name=op.f("pk_coupon_tries")),
    )


def downgrade() -> None:
    for table in ("coupon_tries", "driver_coupons", "coupon_codes", "coupon_definitions"):
        op.drop_table(table)

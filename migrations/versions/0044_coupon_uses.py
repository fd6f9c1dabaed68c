"""coupons of stays under way, and those that drivers have just got, are found without a search

Revision: 0044, after 0043, 2026-11-24 01:48:00.
"""

from alembic import op

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_driver_coupons_reserved",
        "driver_coupons",
        ["operator_id", "session_id"],
        postgresql_where="state = 'reserved'",
    )
    op.create_index(
        "ix_driver_coupons_claimed",
        "driver_coupons",
        ["operator_id", "claimed_at"],
        postgresql_where="state = 'available'",
    )


def downgrade() -> None:
    op.drop_index("ix_driver_coupons_claimed", table_name="driver_coupons")
    op.drop_index("ix_driver_coupons_reserved", table_name="driver_coupons")

"""at which hour of the night an area's counts are set to its open stays

Revision: 0026, after 0025, 2026-11-23 18:57:00.
"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("space_pools", sa.Column("recount_hour", sa.Integer(), nullable=True))
    op.add_column("space_pools", sa.Column("recounted_on", sa.Date(), nullable=True))
    op.create_check_constraint(
        op.f("ck_space_pools_recount_hour_of_day"), "space_pools", "recount_hour BETWEEN 0 AND 23"
    )
    op.create_index(
        "ix_space_pools_recount",
        "space_pools",
        ["operator_id", "id"],
        postgresql_where="recount_hour IS NOT NULL",
    )


def downgrade() -> None:
    op.drop_index("ix_space_pools_recount", table_name="space_pools")
    op.drop_constraint(op.f("ck_space_pools_recount_hour_of_day"), "space_pools", type_="check")
    op.drop_column("space_pools", "recounted_on")
    op.drop_column("space_pools", "recount_hour")

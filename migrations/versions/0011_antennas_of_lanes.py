"""the ETC antenna above a lane

Revision: 0011, after 0010, 2026-11-23 09:14:00.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("access_lanes", sa.Column("etc_antenna", sa.String(), nullable=True))
    op.create_index(
        "uq_access_lanes_etc_antenna",
        "access_lanes",
        ["operator_id", "etc_antenna"],
        unique=True,
        postgresql_where="etc_antenna IS NOT NULL",
    )


def downgrade() -> None:
    op.drop_index("uq_access_lanes_etc_antenna", table_name="access_lanes")
    op.drop_column("access_lanes", "etc_antenna")

"""when each lane last told of a car as it came or left

Revision: 0023, after 0022, 2026-11-23 16:35:00.
"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "lane_connections", sa.Column("heard_at", sa.DateTime(timezone=True), nullable=True)
    )


def downgrade() -> None:
    op.drop_column("lane_connections", "heard_at")

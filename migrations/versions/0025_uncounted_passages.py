"""which cars were counted that a gate let through by itself and that belong to no stay

Revision: 0025, after 0024, 2026-11-23 18:42:00.
"""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "offline_passages",
        sa.Column("is_counted", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    op.alter_column("offline_passages", "is_counted", server_default=None)


def downgrade() -> None:
    op.drop_column("offline_passages", "is_counted")

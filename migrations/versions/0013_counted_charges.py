"""counted charges of mandates

Revision: 0013, after 0012, 2026-11-23 09:45:00.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "mandates", sa.Column("counted_charges", sa.Integer(), nullable=False, server_default="0")
    )
    op.alter_column("mandates", "counted_charges", server_default=None)


def downgrade() -> None:
    op.drop_column("mandates", "counted_charges")

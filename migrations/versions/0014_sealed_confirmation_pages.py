"""sealed confirmation pages

Revision: 0014, after 0013, 2026-11-23 09:46:00.

A page's address may name the payer and the plate. Those that are open cannot be sealed here, where
no key is: their drivers begin again.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("mandates", sa.Column("confirmation_url_sealed", sa.LargeBinary()))
    op.drop_column("mandates", "confirmation_url")


def downgrade() -> None:
    op.add_column("mandates", sa.Column("confirmation_url", sa.String()))
    op.drop_column("mandates", "confirmation_url_sealed")

"""pages by device

Revision: 0017, after 0016, 2026-11-23 12:20:00.

A payment page may be for one device and one payer only, lead somewhere for minutes only, or be our
own page with something to hand over to the app that shows it.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("payment_attempts", sa.Column("checkout_for", sa.String()))
    op.add_column("payment_attempts", sa.Column("checkout_until", sa.DateTime(timezone=True)))
    op.add_column(
        "payment_attempts", sa.Column("checkout_handover", postgresql.JSONB(none_as_null=True))
    )


def downgrade() -> None:
    op.drop_column("payment_attempts", "checkout_handover")
    op.drop_column("payment_attempts", "checkout_until")
    op.drop_column("payment_attempts", "checkout_for")

"""what payment providers need: instruments, references, limits and scopes of mandates

Revision: 0007, after 0006, 2026-11-23 09:05:00.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# Mandates of before are charged in the order in which they were given.
FILL_POSITIONS = """
UPDATE mandates SET position = ranked.position FROM (
    SELECT driver_id, id, row_number() OVER (PARTITION BY driver_id ORDER BY id) - 1 AS position
    FROM mandates WHERE state <> 'revoked'
) AS ranked
WHERE mandates.driver_id = ranked.driver_id AND mandates.id = ranked.id
"""


def upgrade() -> None:
    op.add_column("mandates", sa.Column("instrument", sa.String(), nullable=True))
    op.add_column("mandates", sa.Column("payer_hint", sa.String(), nullable=True))
    op.add_column(
        "mandates", sa.Column("position", sa.Integer(), nullable=False, server_default="0")
    )
    op.alter_column("mandates", "position", server_default=None)
    op.add_column("mandates", sa.Column("day_minor_max", sa.BigInteger(), nullable=True))
    op.add_column("mandates", sa.Column("plate_index", sa.Uuid(), nullable=True))
    op.add_column("mandates", sa.Column("plate_sealed", sa.LargeBinary(), nullable=True))
    op.add_column("mandates", sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True))
    op.execute(FILL_POSITIONS)
    op.execute("UPDATE mandates SET confirmed_at = activated_at")
    op.add_column("payment_attempts", sa.Column("instrument", sa.String(), nullable=True))
    op.add_column("payment_attempts", sa.Column("provider_reference", sa.String(), nullable=True))
    op.add_column("payment_attempts", sa.Column("advance", sa.String(32), nullable=True))
    op.add_column("refunds", sa.Column("provider_reference", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("refunds", "provider_reference")
    for column in ("advance", "provider_reference", "instrument"):
        op.drop_column("payment_attempts", column)
    for column in (
        "confirmed_at",
        "plate_sealed",
        "plate_index",
        "day_minor_max",
        "position",
        "payer_hint",
        "instrument",
    ):
        op.drop_column("mandates", column)

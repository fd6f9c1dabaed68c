"""sign-ins of staff are kept by the browser that begins them: only that they were taken is stored

Revision: 0033, after 0032, 2026-11-23 22:10:00.
"""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_table("staff_challenges")
    op.create_table(
        "staff_taken_attempts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_taken_attempts")),
    )
    op.create_index("ix_staff_taken_attempts_expires_at", "staff_taken_attempts", ["expires_at"])


def downgrade() -> None:
    op.drop_table("staff_taken_attempts")
    op.create_table(
        "staff_challenges",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("browser_digest", sa.LargeBinary(), nullable=False),
        sa.Column("content_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_challenges")),
    )
    op.create_index("ix_staff_challenges_expires_at", "staff_challenges", ["expires_at"])

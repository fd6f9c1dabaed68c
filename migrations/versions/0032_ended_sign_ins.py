"""an index that finds the sign-ins that ended lately

Revision: 0032, after 0031, 2026-11-23 21:59:00.
"""

from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_sign_ins_ended",
        "sign_ins",
        ["revoked_at"],
        postgresql_where="revoked_at IS NOT NULL",
    )


def downgrade() -> None:
    op.drop_index("ix_sign_ins_ended", table_name="sign_ins")

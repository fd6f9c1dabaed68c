"""when a driver last proved who they are, what a code is for, and whose Firebase account it is

Revision: 0027, after 0026, 2026-11-23 21:31:00.
"""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "sign_ins", sa.Column("authenticated_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.execute("UPDATE sign_ins SET authenticated_at = created_at")
    op.alter_column("sign_ins", "authenticated_at", nullable=False)
    op.add_column("sign_ins", sa.Column("confirmed_for", sa.String(32), nullable=True))
    op.add_column("sign_ins", sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column(
        "sign_in_codes",
        sa.Column("purpose", sa.String(32), nullable=False, server_default="sign_in"),
    )
    op.alter_column("sign_in_codes", "purpose", server_default=None)
    op.add_column("sign_in_codes", sa.Column("sign_in_id", sa.Uuid(), nullable=True))
    op.create_table(
        "firebase_accounts",
        sa.Column("uid_index", sa.Uuid(), nullable=False),
        sa.Column("driver_id", sa.Uuid(), nullable=False),
        sa.Column("uid_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("linked_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["driver_id"], ["drivers.id"], name=op.f("fk_firebase_accounts_driver_id")
        ),
        sa.PrimaryKeyConstraint("uid_index", name=op.f("pk_firebase_accounts")),
    )
    op.create_index("ix_firebase_accounts_driver", "firebase_accounts", ["driver_id"])


def downgrade() -> None:
    op.drop_table("firebase_accounts")
    op.drop_column("sign_in_codes", "sign_in_id")
    op.drop_column("sign_in_codes", "purpose")
    op.drop_column("sign_ins", "confirmed_at")
    op.drop_column("sign_ins", "confirmed_for")
    op.drop_column("sign_ins", "authenticated_at")

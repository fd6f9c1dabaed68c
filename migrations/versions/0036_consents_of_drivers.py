"""what drivers allowed: habits and offers, each only with consent

Revision: 0036, after 0035, 2026-11-24 00:24:00.
"""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "driver_consents",
        sa.Column("driver_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("text_version", sa.String(), nullable=False),
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["driver_id"], ["drivers.id"], name=op.f("fk_driver_consents_driver_id")
        ),
        sa.PrimaryKeyConstraint("driver_id", "kind", name=op.f("pk_driver_consents")),
    )
    op.create_index(
        "ix_driver_consents_held",
        "driver_consents",
        ["kind", "driver_id"],
        postgresql_where="withdrawn_at IS NULL",
    )
    op.create_table(
        "consent_changes",
        sa.Column("driver_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("is_given", sa.Boolean(), nullable=False),
        sa.Column("text_version", sa.String(), nullable=False),
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["driver_id"], ["drivers.id"], name=op.f("fk_consent_changes_driver_id")
        ),
        sa.PrimaryKeyConstraint("driver_id", "id", name=op.f("pk_consent_changes")),
    )


def downgrade() -> None:
    op.drop_table("consent_changes")
    op.drop_index("ix_driver_consents_held", table_name="driver_consents")
    op.drop_table("driver_consents")

"""pictures of vehicle licences, reviews of claims, and plates that two drivers say are theirs

Revision: 0030, after 0029, 2026-11-23 21:38:00.
"""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.add_column("plate_bindings", sa.Column("frozen_until", moment))
    op.add_column(
        "binding_claims", sa.Column("pictures", sa.Integer(), nullable=False, server_default="0")
    )
    op.alter_column("binding_claims", "pictures", server_default=None)
    op.add_column("binding_claims", sa.Column("review_at", moment))
    op.add_column("binding_claims", sa.Column("contested_at", moment))
    op.add_column("binding_claims", sa.Column("refusal", sa.String(32)))
    # Whoever cannot use a code any more waits for staff, since whenever that was.
    op.execute(
        "UPDATE binding_claims SET review_at = created_at WHERE state = 'pending' AND attempts >= 5"
    )
    op.create_index(
        "ix_binding_claims_review",
        "binding_claims",
        ["review_at", "id"],
        postgresql_where="state = 'pending' AND review_at IS NOT NULL",
    )
    op.create_table(
        "licence_pictures",
        sa.Column("plate_index", sa.Uuid(), nullable=False),
        sa.Column("claim_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("driver_id", sa.Uuid(), nullable=False),
        sa.Column("picture_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("uploaded_at", moment, nullable=False),
        sa.Column("ends_at", moment, nullable=False),
        sa.PrimaryKeyConstraint("plate_index", "claim_id", "id", name=op.f("pk_licence_pictures")),
    )
    op.create_index("ix_licence_pictures_driver", "licence_pictures", ["driver_id", "uploaded_at"])
    op.create_index("ix_licence_pictures_ends", "licence_pictures", ["ends_at"])


def downgrade() -> None:
    op.drop_table("licence_pictures")
    op.drop_index("ix_binding_claims_review", table_name="binding_claims")
    for name in ("refusal", "contested_at", "review_at", "pictures"):
        op.drop_column("binding_claims", name)
    op.drop_column("plate_bindings", "frozen_until")

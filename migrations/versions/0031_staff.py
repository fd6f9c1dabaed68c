"""staff members, how they sign in, and what they did

Revision: 0031, after 0030, 2026-11-23 21:40:00.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

MEMBER = ["operator_id", "member_id"]
MEMBERS = ["staff_members.operator_id", "staff_members.id"]
REFUSE_CHANGE = """
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON staff_acts
FOR EACH ROW EXECUTE FUNCTION refuse_change()
"""
REFUSE_TRUNCATE = """
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON {table}
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
"""


def upgrade() -> None:
    _create_members()
    _create_passkeys()
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
    op.create_table(
        "staff_acts",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("act_id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid()),
        sa.Column("roles", JSONB(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("place_id", sa.Uuid()),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("code", sa.String()),
        sa.Column("details_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("correlation_id", sa.String(), nullable=False),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("operator_id", "id", name=op.f("pk_staff_acts")),
        postgresql_partition_by="RANGE (id)",
    )
    for name in ("member", "place", "action"):
        column = name if name == "action" else f"{name}_id"
        op.create_index(f"ix_staff_acts_{name}", "staff_acts", ["operator_id", column, "id"])
    op.execute("CREATE TABLE staff_acts_default PARTITION OF staff_acts DEFAULT")
    op.execute(REFUSE_CHANGE)
    # A trigger of a whole statement is not a partition's by itself.
    for table in ("staff_acts", "staff_acts_default"):
        op.execute(REFUSE_TRUNCATE.format(table=table))


def _create_members() -> None:
    op.create_table(
        "staff_members",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("email_index", sa.Uuid(), nullable=False),
        sa.Column("email_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("roles", JSONB(), nullable=False),
        sa.Column("place_ids", JSONB()),
        sa.Column("provider_index", sa.Uuid()),
        sa.Column("added_by", sa.String(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(
            ["operator_id"], ["operators.id"], name=op.f("fk_staff_members_operator_id")
        ),
        sa.PrimaryKeyConstraint("operator_id", "id", name=op.f("pk_staff_members")),
        sa.UniqueConstraint("operator_id", "name", name=op.f("uq_staff_members_operator_id_name")),
    )
    for name in ("email", "provider"):
        op.create_index(
            f"uq_staff_members_{name}",
            "staff_members",
            [f"{name}_index"],
            unique=True,
            postgresql_where=sa.text("ended_at IS NULL"),
        )
    op.create_table(
        "staff_sign_ins",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("method", sa.String(length=32), nullable=False),
        sa.Column("client", sa.String(), nullable=False),
        sa.Column("refresh_digest", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("refreshed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(
            MEMBER, MEMBERS, name=op.f("fk_staff_sign_ins_operator_id_member_id")
        ),
        sa.PrimaryKeyConstraint("operator_id", "id", name=op.f("pk_staff_sign_ins")),
    )
    op.create_index("ix_staff_sign_ins_member", "staff_sign_ins", MEMBER)


def _create_passkeys() -> None:
    op.create_table(
        "staff_invitations",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("token_digest", sa.LargeBinary(), nullable=False),
        sa.Column("invited_by", sa.String(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(
            MEMBER, MEMBERS, name=op.f("fk_staff_invitations_operator_id_member_id")
        ),
        sa.PrimaryKeyConstraint("operator_id", "id", name=op.f("pk_staff_invitations")),
    )
    op.create_table(
        "staff_passkeys",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("member_id", sa.Uuid(), nullable=False),
        sa.Column("credential_id", sa.LargeBinary(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("registered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True)),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(
            MEMBER, MEMBERS, name=op.f("fk_staff_passkeys_operator_id_member_id")
        ),
        sa.PrimaryKeyConstraint("operator_id", "id", name=op.f("pk_staff_passkeys")),
        sa.UniqueConstraint("credential_id", name=op.f("uq_staff_passkeys_credential_id")),
    )
    op.create_index("ix_staff_passkeys_member", "staff_passkeys", MEMBER)


def downgrade() -> None:
    for name in (
        "acts",
        "challenges",
        "passkeys",
        "invitations",
        "sign_ins",
        "members",
    ):
        op.drop_table(f"staff_{name}")

"""certificates of gates, the authority that signs them, and tokens that bring the first one

Revision: 0020, after 0019, 2026-11-23 15:30:00.

Who let a gate in and who shut it out is kept: a revoked certificate stays revoked, by whom and why,
and a token that was used or withdrawn stays so.
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

KEPT = ("gate_certificates", "gate_enrolments")
REFUSE_DELETE = """
CREATE TRIGGER refuse_delete BEFORE DELETE ON {table}
FOR EACH ROW EXECUTE FUNCTION refuse_change()
"""
REFUSE_CERTIFICATE = """
CREATE TRIGGER refuse_change BEFORE UPDATE ON gate_certificates
FOR EACH ROW WHEN (
    OLD.revoked_at IS NOT NULL
    OR (OLD.lane_id, OLD.certificate, OLD.key_digest, OLD.not_before, OLD.not_after)
        IS DISTINCT FROM
        (NEW.lane_id, NEW.certificate, NEW.key_digest, NEW.not_before, NEW.not_after)
)
EXECUTE FUNCTION refuse_change()
"""
REFUSE_ENROLMENT = """
CREATE TRIGGER refuse_change BEFORE UPDATE ON gate_enrolments
FOR EACH ROW WHEN (
    OLD.used_at IS NOT NULL
    OR OLD.withdrawn_at IS NOT NULL
    OR (OLD.lane_id, OLD.token_digest, OLD.created_by, OLD.expires_at)
        IS DISTINCT FROM (NEW.lane_id, NEW.token_digest, NEW.created_by, NEW.expires_at)
)
EXECUTE FUNCTION refuse_change()
"""


def upgrade() -> None:
    op.create_table(
        "gate_authorities",
        sa.Column("number", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("certificate", sa.String(), nullable=False),
        sa.Column("key_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("number = 1", name="ck_gate_authorities_one"),
        sa.PrimaryKeyConstraint("number", name="pk_gate_authorities"),
    )
    op.create_table(
        "gate_certificates",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("lane_id", sa.Uuid(), nullable=False),
        sa.Column("certificate", sa.String(), nullable=False),
        sa.Column("key_digest", sa.LargeBinary(), nullable=False),
        sa.Column("replaces_id", sa.Uuid(), nullable=True),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("not_after", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_by", sa.String(), nullable=True),
        sa.Column("revoked_reason", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["operator_id", "lane_id"],
            ["access_lanes.operator_id", "access_lanes.id"],
            name="fk_gate_certificates_operator_id",
        ),
        sa.PrimaryKeyConstraint("operator_id", "id", name="pk_gate_certificates"),
    )
    op.create_index(
        "ix_gate_certificates_lane", "gate_certificates", ["operator_id", "lane_id", "id"]
    )
    op.create_table(
        "gate_enrolments",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("lane_id", sa.Uuid(), nullable=False),
        sa.Column("token_digest", sa.LargeBinary(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("certificate_id", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(
            ["operator_id", "lane_id"],
            ["access_lanes.operator_id", "access_lanes.id"],
            name="fk_gate_enrolments_operator_id",
        ),
        sa.PrimaryKeyConstraint("operator_id", "id", name="pk_gate_enrolments"),
    )
    op.create_index("ix_gate_enrolments_lane", "gate_enrolments", ["operator_id", "lane_id"])
    for table in KEPT:
        op.execute(REFUSE_DELETE.format(table=table))
    op.execute(REFUSE_CERTIFICATE)
    op.execute(REFUSE_ENROLMENT)


def downgrade() -> None:
    op.drop_table("gate_enrolments")
    op.drop_table("gate_certificates")
    op.drop_table("gate_authorities")

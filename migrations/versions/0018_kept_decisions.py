"""kept decisions

Revision: 0018, after 0017, 2026-11-23 13:00:00.

Who let a car out, wrote a bill off, took cash or ended a payment, and what a driver confirmed:
none of it is changed or deleted, whatever the application does.
"""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

KEPT = ("exit_overrides", "mandate_consents", "write_offs")
REFUSE_CHANGE = """
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON {table}
FOR EACH ROW EXECUTE FUNCTION refuse_change()
"""
REFUSE_OTHER_PERSON = """
CREATE TRIGGER refuse_other_person BEFORE UPDATE OF ended_by, ended_reason ON payment_attempts
FOR EACH ROW WHEN (
    OLD.ended_by IS NOT NULL
    AND (OLD.ended_by, OLD.ended_reason) IS DISTINCT FROM (NEW.ended_by, NEW.ended_reason)
)
EXECUTE FUNCTION refuse_change()
"""


def upgrade() -> None:
    for table in KEPT:
        op.execute(REFUSE_CHANGE.format(table=table))
    op.execute(REFUSE_OTHER_PERSON)


def downgrade() -> None:
    op.execute("DROP TRIGGER refuse_other_person ON payment_attempts")
    for table in KEPT:
        op.execute(f"DROP TRIGGER refuse_change ON {table}")

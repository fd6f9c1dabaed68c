"""campaigns, whom they may reach, and what became of each message

Revision: 0038, after 0037, 2026-11-24 00:34:00.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audience_members",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("driver_id", sa.Uuid(), nullable=False),
        sa.Column("timezone", sa.String(), nullable=False),
        sa.Column("visits", sa.Integer(), nullable=False),
        sa.Column("last_visit_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("vehicle_kinds", JSONB(), nullable=False),
        sa.Column("refreshed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["driver_id"], ["drivers.id"], name=op.f("fk_audience_members_driver_id")
        ),
        sa.PrimaryKeyConstraint("operator_id", "driver_id", name=op.f("pk_audience_members")),
    )
    op.create_index("ix_audience_members_driver", "audience_members", ["driver_id"])
    op.create_table(
        "audience_places",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("driver_id", sa.Uuid(), nullable=False),
        sa.Column("place_id", sa.Uuid(), nullable=False),
        sa.Column("visits", sa.Integer(), nullable=False),
        sa.Column("last_visit_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("spent_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["driver_id"], ["drivers.id"], name=op.f("fk_audience_places_driver_id")
        ),
        sa.PrimaryKeyConstraint(
            "operator_id", "driver_id", "place_id", name=op.f("pk_audience_places")
        ),
    )
    op.create_index("ix_audience_places_driver", "audience_places", ["driver_id"])
    op.create_table(
        "audience_segments",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("place_id", sa.Uuid(), nullable=True),
        sa.Column("filter", JSONB(), nullable=False),
        sa.Column("saved_by", sa.String(), nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["operator_id"], ["operators.id"], name=op.f("fk_audience_segments_operator_id")
        ),
        sa.PrimaryKeyConstraint("operator_id", "id", name=op.f("pk_audience_segments")),
        sa.UniqueConstraint(
            "operator_id", "name", name=op.f("uq_audience_segments_operator_id_name")
        ),
    )
    op.create_table(
        "campaign_policies",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("day_messages_max", sa.Integer(), nullable=False),
        sa.Column("week_messages_max", sa.Integer(), nullable=False),
        sa.Column("control_permille", sa.Integer(), nullable=False),
        sa.Column("salt", sa.Uuid(), nullable=False),
        sa.Column("set_by", sa.String(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["operator_id"], ["operators.id"], name=op.f("fk_campaign_policies_operator_id")
        ),
        sa.PrimaryKeyConstraint("operator_id", name=op.f("pk_campaign_policies")),
    )
    op.create_table(
        "campaign_sends",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("driver_id", sa.Uuid(), nullable=False),
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("arm", sa.String(32), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("local_day", sa.Date(), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("assigned_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("event_id", sa.Uuid(), nullable=True),
        sa.PrimaryKeyConstraint("operator_id", "id", "driver_id", name=op.f("pk_campaign_sends")),
        postgresql_partition_by="RANGE (id)",
    )
    op.create_index(
        "ix_campaign_sends_day",
        "campaign_sends",
        ["driver_id", "local_day"],
        postgresql_where="state IN ('queued', 'sent') AND arm = 'assigned'",
    )
    op.create_index(
        "ix_campaign_sends_due",
        "campaign_sends",
        ["not_before"],
        postgresql_where="state = 'queued'",
    )
    op.create_table(
        "campaign_test_drivers",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("driver_id", sa.Uuid(), nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("added_by", sa.String(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["driver_id"], ["drivers.id"], name=op.f("fk_campaign_test_drivers_driver_id")
        ),
        sa.ForeignKeyConstraint(
            ["operator_id"], ["operators.id"], name=op.f("fk_campaign_test_drivers_operator_id")
        ),
        sa.PrimaryKeyConstraint("operator_id", "driver_id", name=op.f("pk_campaign_test_drivers")),
    )
    op.create_index("ix_campaign_test_drivers_driver", "campaign_test_drivers", ["driver_id"])
    op.create_table(
        "campaigns",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("place_id", sa.Uuid(), nullable=True),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("document", JSONB(), nullable=False),
        sa.Column("authors", JSONB(), nullable=False),
        sa.Column("salt", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("submitted_by", sa.String(), nullable=True),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("approved_by", sa.String(), nullable=True),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("approved_digest", sa.String(), nullable=True),
        sa.Column("refusal_note", sa.String(), nullable=True),
        sa.Column("next_run_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_because", sa.String(), nullable=True),
        sa.Column("queued_messages", sa.Integer(), nullable=False),
        sa.Column("committed_minor", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "state NOT IN ('running', 'paused', 'ended')"
            " OR approved_by IS NOT NULL AND approved_digest = md5(document::text)",
            name=op.f("ck_campaigns_runs_as_approved"),
        ),
        sa.CheckConstraint(
            "approved_by IS NULL OR NOT jsonb_exists(authors, approved_by)",
            name=op.f("ck_campaigns_second_person"),
        ),
        sa.CheckConstraint("jsonb_array_length(authors) > 0", name=op.f("ck_campaigns_has_author")),
        sa.ForeignKeyConstraint(
            ["operator_id"], ["operators.id"], name=op.f("fk_campaigns_operator_id")
        ),
        sa.PrimaryKeyConstraint("operator_id", "id", name=op.f("pk_campaigns")),
        sa.UniqueConstraint("operator_id", "name", name=op.f("uq_campaigns_operator_id_name")),
    )
    op.create_index(
        "ix_campaigns_due", "campaigns", ["next_run_at"], postgresql_where="state = 'running'"
    )
    op.create_table(
        "campaign_runs",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("occurrence", sa.String(), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("position", sa.Uuid(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("queued_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("looked_at", sa.Integer(), nullable=False),
        sa.Column("assigned", sa.Integer(), nullable=False),
        sa.Column("held_out", sa.Integer(), nullable=False),
        sa.Column("control", sa.Integer(), nullable=False),
        sa.Column("queued", sa.Integer(), nullable=False),
        sa.Column("capped", sa.Integer(), nullable=False),
        sa.Column("unaffordable", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["operator_id", "campaign_id"],
            ["campaigns.operator_id", "campaigns.id"],
            name=op.f("fk_campaign_runs_operator_id_campaign_id"),
        ),
        sa.PrimaryKeyConstraint("operator_id", "id", name=op.f("pk_campaign_runs")),
        sa.UniqueConstraint(
            "operator_id",
            "campaign_id",
            "occurrence",
            name=op.f("uq_campaign_runs_operator_id_campaign_id_occurrence"),
        ),
    )
    op.create_index(
        "ix_campaign_runs_queueing", "campaign_runs", ["id"], postgresql_where="state = 'queueing'"
    )
    # Rows whose run's id carries a time outside every month: a worker with a wrong clock.
    op.execute("CREATE TABLE campaign_sends_default PARTITION OF campaign_sends DEFAULT")


def downgrade() -> None:
    for table in (
        "campaign_runs",
        "campaigns",
        "campaign_test_drivers",
        "campaign_sends",
        "campaign_policies",
        "audience_segments",
        "audience_places",
        "audience_members",
    ):
        op.drop_table(table)

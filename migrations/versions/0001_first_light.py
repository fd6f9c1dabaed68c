"""first light

Revision: 0001, after None, 2026-11-23 03:08:00.215293.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


PARTITIONED = (
    "bills",
    "frames",
    "gate_commands",
    "lane_events",
    "ledger_transfers",
    "observations",
    "outbox",
    "payment_attempts",
    "presentations",
    "segments",
    "sessions",
)

# The ledger is corrected by new transfers, never by changing one.
REFUSE_CHANGE = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('sesame.moves_rows', true) = 'on' THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'table %: rows are never changed or deleted', TG_TABLE_NAME;
END
$$
"""
LEDGER_TRIGGER = """
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON ledger_transfers
FOR EACH ROW EXECUTE FUNCTION refuse_change()
"""


def upgrade() -> None:
    op.create_table(
        "bills",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("place_id", sa.Uuid(), nullable=False),
        sa.Column("driver_id", sa.Uuid(), nullable=True),
        sa.Column("presentation_id", sa.Uuid(), nullable=True),
        sa.Column("rate_table_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("total_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("lines", JSONB(), nullable=False),
        sa.Column("priced_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("live_attempt_id", sa.Uuid(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.CheckConstraint("total_minor >= 0", name=op.f("ck_bills_total_not_negative")),
        sa.PrimaryKeyConstraint("operator_id", "id", name=op.f("pk_bills")),
        postgresql_partition_by="RANGE (id)",
    )
    op.create_index("ix_bills_session", "bills", ["operator_id", "session_id"], unique=False)
    op.create_table(
        "binding_claims",
        sa.Column("plate_index", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("driver_id", sa.Uuid(), nullable=False),
        sa.Column("plate_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("plate_index", "id", name=op.f("pk_binding_claims")),
    )
    op.create_index("ix_binding_claims_driver", "binding_claims", ["driver_id"], unique=False)
    op.create_table(
        "driver_plates",
        sa.Column("driver_id", sa.Uuid(), nullable=False),
        sa.Column("binding_id", sa.Uuid(), nullable=False),
        sa.Column("plate_index", sa.Uuid(), nullable=False),
        sa.Column("plate_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("bound_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("unbound_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("driver_id", "binding_id", name=op.f("pk_driver_plates")),
    )
    op.create_table(
        "drivers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("locale", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_drivers")),
    )
    op.create_table(
        "frames",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("lane_id", sa.Uuid(), nullable=False),
        sa.Column("presentation_id", sa.Uuid(), nullable=False),
        sa.Column("captured_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("content_type", sa.String(), nullable=False),
        sa.Column("image", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("operator_id", "id", name=op.f("pk_frames")),
        postgresql_partition_by="RANGE (id)",
    )
    op.create_index(
        "ix_frames_presentation", "frames", ["operator_id", "presentation_id"], unique=False
    )
    op.create_table(
        "gate_commands",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("lane_id", sa.Uuid(), nullable=False),
        sa.Column("presentation_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=True),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("rejection", sa.String(), nullable=True),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("operator_id", "id", name=op.f("pk_gate_commands")),
        postgresql_partition_by="RANGE (id)",
    )
    op.create_index(
        "ix_gate_commands_presentation",
        "gate_commands",
        ["operator_id", "presentation_id"],
        unique=False,
    )
    op.create_table(
        "lane_codes",
        sa.Column("plate_index", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code_digest", sa.LargeBinary(), nullable=False),
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("lane_id", sa.Uuid(), nullable=False),
        sa.Column("presentation_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("plate_index", "id", name=op.f("pk_lane_codes")),
    )
    op.create_table(
        "lane_events",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("lane_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("presentation_id", sa.Uuid(), nullable=True),
        sa.Column("command_id", sa.Uuid(), nullable=True),
        sa.Column("detail", JSONB(), nullable=False),
        sa.Column("read_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("operator_id", "id", name=op.f("pk_lane_events")),
        postgresql_partition_by="RANGE (id)",
    )
    op.create_index(
        "ix_lane_events_lane", "lane_events", ["operator_id", "lane_id", "seq"], unique=False
    )
    op.create_table(
        "ledger_transfers",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("bill_id", sa.Uuid(), nullable=False),
        sa.Column("debit_account", sa.String(), nullable=False),
        sa.Column("credit_account", sa.String(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("posted_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_ledger_transfers_amount_positive")),
        sa.CheckConstraint(
            "debit_account <> credit_account", name=op.f("ck_ledger_transfers_accounts_differ")
        ),
        sa.PrimaryKeyConstraint("operator_id", "id", name=op.f("pk_ledger_transfers")),
        postgresql_partition_by="RANGE (id)",
    )
    op.create_index(
        "ix_ledger_transfers_bill", "ledger_transfers", ["operator_id", "bill_id"], unique=False
    )
    op.create_table(
        "mandates",
        sa.Column("driver_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("agreement_reference", sa.String(), nullable=True),
        sa.Column("confirmation_url", sa.String(), nullable=True),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("amount_minor_max", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("activated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("driver_id", "id", name=op.f("pk_mandates")),
    )
    op.create_index("ix_mandates_driver_state", "mandates", ["driver_id", "state"], unique=False)
    op.create_index(
        "ix_mandates_pending",
        "mandates",
        ["created_at"],
        unique=False,
        postgresql_where="state = 'pending'",
    )
    op.create_table(
        "observations",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("place_id", sa.Uuid(), nullable=False),
        sa.Column("lane_id", sa.Uuid(), nullable=False),
        sa.Column("presentation_id", sa.Uuid(), nullable=False),
        sa.Column("method", sa.String(32), nullable=False),
        sa.Column("plate_index", sa.Uuid(), nullable=False),
        sa.Column("plate_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("alternatives_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.Column("frames", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("captured_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("operator_id", "id", name=op.f("pk_observations")),
        postgresql_partition_by="RANGE (id)",
    )
    op.create_index(
        "ix_observations_presentation",
        "observations",
        ["operator_id", "presentation_id"],
        unique=False,
    )
    op.create_table(
        "open_sessions",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("place_id", sa.Uuid(), nullable=False),
        sa.Column("plate_index", sa.Uuid(), nullable=False),
        sa.Column("plate_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("entered_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("operator_id", "session_id", name=op.f("pk_open_sessions")),
        sa.UniqueConstraint(
            "operator_id",
            "place_id",
            "plate_index",
            name=op.f("uq_open_sessions_operator_id_place_id_plate_index"),
        ),
    )
    op.create_index(
        "ix_open_sessions_place", "open_sessions", ["operator_id", "place_id"], unique=False
    )
    op.create_index("ix_open_sessions_plate", "open_sessions", ["plate_index"], unique=False)
    op.create_table(
        "operators",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operators")),
    )
    op.create_table(
        "outbox",
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("payload", JSONB(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("owner_id", "id", name=op.f("pk_outbox")),
        postgresql_partition_by="RANGE (id)",
    )
    op.create_index(
        "ix_outbox_due", "outbox", ["next_at"], unique=False, postgresql_where="done_at IS NULL"
    )
    op.create_index("ix_outbox_subject", "outbox", ["owner_id", "subject_id", "id"], unique=False)
    op.create_table(
        "payment_attempts",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("bill_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("driver_id", sa.Uuid(), nullable=True),
        sa.Column("mandate_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("agreement_reference", sa.String(), nullable=True),
        sa.Column("checkout_url", sa.String(), nullable=True),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("failure_code", sa.String(), nullable=True),
        sa.Column("queries", sa.Integer(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_query_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_payment_attempts_amount_positive")),
        sa.PrimaryKeyConstraint("operator_id", "id", name=op.f("pk_payment_attempts")),
        postgresql_partition_by="RANGE (id)",
    )
    op.create_index(
        "ix_payment_attempts_bill", "payment_attempts", ["operator_id", "bill_id"], unique=False
    )
    op.create_index(
        "ix_payment_attempts_due",
        "payment_attempts",
        ["next_query_at"],
        unique=False,
        postgresql_where="state IN ('sent', 'accepted', 'unknown')",
    )
    op.create_table(
        "phone_numbers",
        sa.Column("phone_index", sa.Uuid(), nullable=False),
        sa.Column("driver_id", sa.Uuid(), nullable=False),
        sa.Column("phone_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("verified_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("phone_index", name=op.f("pk_phone_numbers")),
    )
    op.create_table(
        "plate_bindings",
        sa.Column("plate_index", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("driver_id", sa.Uuid(), nullable=False),
        sa.Column("proof", sa.String(32), nullable=False),
        sa.Column("bound_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("unbound_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("plate_index", "id", name=op.f("pk_plate_bindings")),
    )
    op.create_index(
        "uq_plate_bindings_active",
        "plate_bindings",
        ["plate_index"],
        unique=True,
        postgresql_where="unbound_at IS NULL",
    )
    op.create_table(
        "presentations",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("lane_id", sa.Uuid(), nullable=False),
        sa.Column("place_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("occupied_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cleared_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("observation_id", sa.Uuid(), nullable=True),
        sa.Column("session_id", sa.Uuid(), nullable=True),
        sa.Column("action", sa.String(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("commands", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("operator_id", "id", name=op.f("pk_presentations")),
        postgresql_partition_by="RANGE (id)",
    )
    op.create_index(
        "ix_presentations_standing",
        "presentations",
        ["operator_id", "lane_id"],
        unique=False,
        postgresql_where="cleared_at IS NULL",
    )
    op.create_table(
        "provider_orders",
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_provider_orders")),
    )
    op.create_table(
        "segments",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("area_id", sa.Uuid(), nullable=False),
        sa.Column("rate_table_id", sa.Uuid(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("operator_id", "id", name=op.f("pk_segments")),
        postgresql_partition_by="RANGE (id)",
    )
    op.create_index("ix_segments_session", "segments", ["operator_id", "session_id"], unique=False)
    op.create_table(
        "sign_in_codes",
        sa.Column("phone_index", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code_digest", sa.LargeBinary(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("phone_index", "id", name=op.f("pk_sign_in_codes")),
    )
    op.create_table(
        "deliveries",
        sa.Column("driver_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("device_id", sa.Uuid(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("template", sa.String(), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("failure", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["driver_id"], ["drivers.id"], name=op.f("fk_deliveries_driver_id")
        ),
        sa.PrimaryKeyConstraint("driver_id", "id", name=op.f("pk_deliveries")),
    )
    op.create_index("ix_deliveries_event", "deliveries", ["driver_id", "event_id"], unique=False)
    op.create_table(
        "devices",
        sa.Column("driver_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("sign_in_id", sa.Uuid(), nullable=True),
        sa.Column("target_kind", sa.String(32), nullable=False),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("platform", sa.String(), nullable=False),
        sa.Column("registered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["driver_id"], ["drivers.id"], name=op.f("fk_devices_driver_id")),
        sa.PrimaryKeyConstraint("driver_id", "id", name=op.f("pk_devices")),
        sa.UniqueConstraint("driver_id", "target", name=op.f("uq_devices_driver_id_target")),
    )
    op.create_index("ix_devices_target", "devices", ["target"])
    op.create_table(
        "request_counts",
        sa.Column("key", sa.Uuid(), nullable=False),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.Column("window_started_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_request_counts")),
    )
    op.create_table(
        "driver_stays",
        sa.Column("driver_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("entered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("left_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["driver_id"], ["drivers.id"], name=op.f("fk_driver_stays_driver_id")
        ),
        sa.PrimaryKeyConstraint("driver_id", "session_id", name=op.f("pk_driver_stays")),
    )
    op.create_index(
        "ix_driver_stays_active",
        "driver_stays",
        ["driver_id"],
        unique=False,
        postgresql_where="left_at IS NULL",
    )
    op.create_table(
        "places",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("timezone", sa.String(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["operator_id"], ["operators.id"], name=op.f("fk_places_operator_id")
        ),
        sa.PrimaryKeyConstraint("operator_id", "id", name=op.f("pk_places")),
    )
    op.create_table(
        "sign_ins",
        sa.Column("driver_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("refresh_digest", sa.LargeBinary(), nullable=False),
        sa.Column("device_name", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("refreshed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["driver_id"], ["drivers.id"], name=op.f("fk_sign_ins_driver_id")),
        sa.PrimaryKeyConstraint("driver_id", "id", name=op.f("pk_sign_ins")),
    )
    op.create_table(
        "access_lanes",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("place_id", sa.Uuid(), nullable=False),
        sa.Column("area_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("direction", sa.String(32), nullable=False),
        sa.Column("device_token_digest", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["operator_id", "place_id"],
            ["places.operator_id", "places.id"],
            name=op.f("fk_access_lanes_operator_id_place_id"),
        ),
        sa.PrimaryKeyConstraint("operator_id", "id", name=op.f("pk_access_lanes")),
    )
    op.create_table(
        "identified_areas",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("place_id", sa.Uuid(), nullable=False),
        sa.Column("parent_id", sa.Uuid(), nullable=True),
        sa.Column("layer", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("supply", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["operator_id", "place_id"],
            ["places.operator_id", "places.id"],
            name=op.f("fk_identified_areas_operator_id_place_id"),
        ),
        sa.PrimaryKeyConstraint("operator_id", "id", name=op.f("pk_identified_areas")),
    )
    op.create_table(
        "rate_tables",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("place_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("effective_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("body", JSONB(), nullable=False),
        sa.ForeignKeyConstraint(
            ["operator_id", "place_id"],
            ["places.operator_id", "places.id"],
            name=op.f("fk_rate_tables_operator_id_place_id"),
        ),
        sa.PrimaryKeyConstraint("operator_id", "id", name=op.f("pk_rate_tables")),
        sa.UniqueConstraint(
            "operator_id",
            "place_id",
            "version",
            name=op.f("uq_rate_tables_operator_id_place_id_version"),
        ),
    )
    op.create_table(
        "sessions",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("place_id", sa.Uuid(), nullable=False),
        sa.Column("plate_index", sa.Uuid(), nullable=False),
        sa.Column("plate_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("driver_id", sa.Uuid(), nullable=True),
        sa.Column("rate_table_id", sa.Uuid(), nullable=False),
        sa.Column("entry_presentation_id", sa.Uuid(), nullable=False),
        sa.Column("exit_presentation_id", sa.Uuid(), nullable=True),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("entered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("left_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("prepaid_until", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["operator_id", "place_id"],
            ["places.operator_id", "places.id"],
            name=op.f("fk_sessions_operator_id_place_id"),
        ),
        sa.PrimaryKeyConstraint("operator_id", "id", name=op.f("pk_sessions")),
        postgresql_partition_by="RANGE (id)",
    )
    op.create_table(
        "lane_connections",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("lane_id", sa.Uuid(), nullable=False),
        sa.Column("session_epoch", sa.Integer(), nullable=False),
        sa.Column("last_seq", sa.Integer(), nullable=False),
        sa.Column("bridge", sa.String(), nullable=False),
        sa.Column("connected_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["operator_id", "lane_id"],
            ["access_lanes.operator_id", "access_lanes.id"],
            name=op.f("fk_lane_connections_operator_id_lane_id"),
        ),
        sa.PrimaryKeyConstraint("operator_id", "lane_id", name=op.f("pk_lane_connections")),
    )
    op.create_table(
        "spaces",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("area_id", sa.Uuid(), nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["operator_id", "area_id"],
            ["identified_areas.operator_id", "identified_areas.id"],
            name=op.f("fk_spaces_operator_id_area_id"),
        ),
        sa.PrimaryKeyConstraint("operator_id", "id", name=op.f("pk_spaces")),
        sa.UniqueConstraint(
            "operator_id", "area_id", "label", name=op.f("uq_spaces_operator_id_area_id_label")
        ),
    )
    for table in PARTITIONED:
        # Rows whose id carries a time outside every month: a gate with a wrong clock.
        op.execute(f"CREATE TABLE {table}_default PARTITION OF {table} DEFAULT")
    op.execute(REFUSE_CHANGE)
    op.execute(LEDGER_TRIGGER)


def downgrade() -> None:
    op.drop_table("spaces")
    op.drop_table("lane_connections")
    op.drop_table("sessions")
    op.drop_table("rate_tables")
    op.drop_table("identified_areas")
    op.drop_table("access_lanes")
    op.drop_table("sign_ins")
    op.drop_table("places")
    op.drop_index(
        "ix_driver_stays_active", table_name="driver_stays", postgresql_where="left_at IS NULL"
    )
    op.drop_table("driver_stays")
    op.drop_table("request_counts")
    op.drop_index("ix_devices_target", table_name="devices")
    op.drop_table("devices")
    op.drop_index("ix_deliveries_event", table_name="deliveries")
    op.drop_table("deliveries")
    op.drop_table("sign_in_codes")
    op.drop_index("ix_segments_session", table_name="segments")
    op.drop_table("segments")
    op.drop_table("provider_orders")
    op.drop_index(
        "ix_presentations_standing",
        table_name="presentations",
        postgresql_where="cleared_at IS NULL",
    )
    op.drop_table("presentations")
    op.drop_index(
        "uq_plate_bindings_active",
        table_name="plate_bindings",
        postgresql_where="unbound_at IS NULL",
    )
    op.drop_table("plate_bindings")
    op.drop_table("phone_numbers")
    op.drop_index(
        "ix_payment_attempts_due",
        table_name="payment_attempts",
        postgresql_where="state IN ('sent', 'accepted', 'unknown')",
    )
    op.drop_index("ix_payment_attempts_bill", table_name="payment_attempts")
    op.drop_table("payment_attempts")
    op.drop_index("ix_outbox_subject", table_name="outbox")
    op.drop_index("ix_outbox_due", table_name="outbox", postgresql_where="done_at IS NULL")
    op.drop_table("outbox")
    op.drop_table("operators")
    op.drop_index("ix_open_sessions_plate", table_name="open_sessions")
    op.drop_index("ix_open_sessions_place", table_name="open_sessions")
    op.drop_table("open_sessions")
    op.drop_index("ix_observations_presentation", table_name="observations")
    op.drop_table("observations")
    op.drop_index(
        "ix_mandates_pending", table_name="mandates", postgresql_where="state = 'pending'"
    )
    op.drop_index("ix_mandates_driver_state", table_name="mandates")
    op.drop_table("mandates")
    op.drop_index("ix_ledger_transfers_bill", table_name="ledger_transfers")
    op.drop_table("ledger_transfers")
    op.drop_index("ix_lane_events_lane", table_name="lane_events")
    op.drop_table("lane_events")
    op.drop_table("lane_codes")
    op.drop_index("ix_gate_commands_presentation", table_name="gate_commands")
    op.drop_table("gate_commands")
    op.drop_index("ix_frames_presentation", table_name="frames")
    op.drop_table("frames")
    op.drop_table("drivers")
    op.drop_table("driver_plates")
    op.drop_index("ix_binding_claims_driver", table_name="binding_claims")
    op.drop_table("binding_claims")
    op.drop_index("ix_bills_session", table_name="bills")
    op.drop_table("bills")
    op.execute("DROP FUNCTION refuse_change()")

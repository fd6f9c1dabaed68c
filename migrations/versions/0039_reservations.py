"""spaces that are promised ahead: pools, offers, reservations, and what the gates keep for them

Revision: 0039, after 0038, 2026-11-24 00:30:00.
"""

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "space_pools", sa.Column("kept", sa.Integer(), nullable=False, server_default="0")
    )
    op.alter_column("space_pools", "kept", server_default=None)
    op.create_check_constraint(op.f("ck_space_pools_kept_not_negative"), "space_pools", "kept >= 0")
    op.add_column("open_sessions", sa.Column("reservation_id", sa.Uuid(), nullable=True))
    _create_pools()
    _create_offers()
    _create_reservations()


def _create_pools() -> None:
    op.create_table(
        "right_pools",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("place_id", sa.Uuid(), nullable=False),
        sa.Column("area_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("spaces", sa.Integer(), nullable=False),
        sa.Column("risk_basis_points", sa.Integer(), nullable=False),
        sa.Column("ahead_s_min", sa.Integer(), nullable=False),
        sa.Column("ahead_s_max", sa.Integer(), nullable=False),
        sa.Column("stay_s_max", sa.Integer(), nullable=False),
        sa.Column("kept_ahead_s", sa.Integer(), nullable=False),
        sa.Column("grace_s", sa.Integer(), nullable=False),
        sa.Column("cancellable_s", sa.Integer(), nullable=False),
        sa.Column("offer_s", sa.Integer(), nullable=False),
        sa.Column("holds_offers", sa.Boolean(), nullable=False),
        sa.Column("is_on_sale", sa.Boolean(), nullable=False),
        sa.Column("compensation_id", sa.Uuid(), nullable=True),
        sa.Column("waiting", sa.Integer(), nullable=False),
        sa.Column("standing", sa.Integer(), nullable=False),
        sa.Column("kept", sa.Integer(), nullable=False),
        sa.Column("shown", sa.Integer(), nullable=False),
        sa.Column("missed", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("spaces >= 0", name=op.f("ck_right_pools_spaces_not_negative")),
        sa.CheckConstraint(
            "waiting >= 0 AND standing >= 0", name=op.f("ck_right_pools_counts_not_negative")
        ),
        sa.CheckConstraint(
            "kept = least(waiting, greatest(spaces - standing, 0))",
            name=op.f("ck_right_pools_kept_is_what_is_owed"),
        ),
        sa.ForeignKeyConstraint(
            ["operator_id", "area_id"],
            ["identified_areas.operator_id", "identified_areas.id"],
            name=op.f("fk_right_pools_operator_id"),
        ),
        sa.PrimaryKeyConstraint("operator_id", "id", name=op.f("pk_right_pools")),
        sa.UniqueConstraint(
            "operator_id", "area_id", "name", name=op.f("uq_right_pools_operator_id_area_id_name")
        ),
        postgresql_with={"fillfactor": 60},
    )
    op.create_index("ix_right_pools_place", "right_pools", ["operator_id", "place_id"])


def _create_offers() -> None:
    op.create_table(
        "offer_books",
        sa.Column("driver_id", sa.Uuid(), nullable=False),
        sa.Column("last_version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["driver_id"], ["drivers.id"], name=op.f("fk_offer_books_driver_id")
        ),
        sa.PrimaryKeyConstraint("driver_id", name=op.f("pk_offer_books")),
    )
    op.create_table(
        "space_offers",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("place_id", sa.Uuid(), nullable=False),
        sa.Column("pool_id", sa.Uuid(), nullable=False),
        sa.Column("driver_id", sa.Uuid(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("arrives_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("arrives_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("offered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("operator_id", "id", name=op.f("pk_space_offers")),
        postgresql_partition_by="RANGE (id)",
    )
    op.create_index("ix_space_offers_driver", "space_offers", ["driver_id", "id"])
    op.create_index("ix_space_offers_version", "space_offers", ["driver_id", "version"])
    op.create_index(
        "ix_space_offers_open",
        "space_offers",
        ["expires_at"],
        postgresql_where="state = 'open'",
    )
    op.create_index("ix_space_offers_pool", "space_offers", ["operator_id", "pool_id", "id"])
    op.execute("CREATE TABLE space_offers_default PARTITION OF space_offers DEFAULT")


def _create_reservations() -> None:
    op.create_table(
        "reservations",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("place_id", sa.Uuid(), nullable=False),
        sa.Column("area_id", sa.Uuid(), nullable=False),
        sa.Column("pool_id", sa.Uuid(), nullable=False),
        sa.Column("driver_id", sa.Uuid(), nullable=True),
        sa.Column("offer_id", sa.Uuid(), nullable=True),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kept_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kept_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cancellable_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("is_waiting", sa.Boolean(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("session_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("arrived_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("alternative_id", sa.Uuid(), nullable=True),
        sa.Column("coupon_id", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(
            ["operator_id", "pool_id"],
            ["right_pools.operator_id", "right_pools.id"],
            name=op.f("fk_reservations_operator_id"),
        ),
        sa.PrimaryKeyConstraint("operator_id", "id", name=op.f("pk_reservations")),
    )
    op.create_index("ix_reservations_driver", "reservations", ["driver_id", "id"])
    op.create_index(
        "ix_reservations_expected",
        "reservations",
        ["driver_id", "operator_id", "area_id"],
        postgresql_where="state = 'confirmed'",
    )
    op.create_index(
        "ix_reservations_taking",
        "reservations",
        ["operator_id", "pool_id", "ends_at"],
        postgresql_where="state IN ('held', 'confirmed', 'arrived', 'overstayed')",
    )
    op.create_index("ix_reservations_pool", "reservations", ["operator_id", "pool_id", "id"])
    op.create_index(
        "ix_reservations_due",
        "reservations",
        ["due_at"],
        postgresql_where="due_at IS NOT NULL",
    )


def downgrade() -> None:
    for table in ("reservations", "space_offers", "offer_books", "right_pools"):
        op.drop_table(table)
    op.drop_column("open_sessions", "reservation_id")
    op.drop_constraint(op.f("ck_space_pools_kept_not_negative"), "space_pools", type_="check")
    op.drop_column("space_pools", "kept")

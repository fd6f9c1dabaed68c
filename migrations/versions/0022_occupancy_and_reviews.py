"""how many cars stand where, and what staff look at

Revision: 0022, after 0021, 2026-11-23 15:30:00.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

KEPT = ("occupancy_counts", "review_actions")
REFUSE_CHANGE = """
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON {table}
FOR EACH ROW EXECUTE FUNCTION refuse_change()
"""
# The cars that stand inside now are counted where they came in.
AREAS_OF_OPEN_STAYS = """
UPDATE open_sessions SET area_id = segments.area_id FROM segments
WHERE segments.operator_id = open_sessions.operator_id
    AND segments.session_id = open_sessions.session_id
"""
PUBLIC_POOLS = """
INSERT INTO space_pools (
    operator_id, id, place_id, area_id, spaces, occupied, is_full,
    reopen_free, keeps_closed, below_zero, overflowed, counted_at
)
SELECT areas.operator_id, areas.id, areas.place_id, areas.id, areas.supply, count(stays.session_id),
    count(stays.session_id) >= areas.supply, 1, false, 0, 0, now()
FROM identified_areas AS areas
LEFT JOIN open_sessions AS stays
    ON stays.operator_id = areas.operator_id AND stays.area_id = areas.id
GROUP BY areas.operator_id, areas.id, areas.place_id, areas.supply
"""


def upgrade() -> None:
    op.add_column("open_sessions", sa.Column("area_id", sa.Uuid(), nullable=True))
    op.add_column("open_sessions", sa.Column("pool_id", sa.Uuid(), nullable=True))
    op.add_column(
        "presentations",
        sa.Column("has_newer_read", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.alter_column("presentations", "has_newer_read", server_default=None)
    _create_occupancy()
    _create_reviews()
    op.execute(AREAS_OF_OPEN_STAYS)
    op.execute(PUBLIC_POOLS)
    for table in KEPT:
        op.execute(f"CREATE TABLE {table}_default PARTITION OF {table} DEFAULT")
        op.execute(REFUSE_CHANGE.format(table=table))
    op.execute("CREATE TABLE misread_reviews_default PARTITION OF misread_reviews DEFAULT")


def _create_occupancy() -> None:
    op.create_table(
        "space_pools",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("place_id", sa.Uuid(), nullable=False),
        sa.Column("area_id", sa.Uuid(), nullable=False),
        sa.Column("specification_id", sa.Uuid(), nullable=True),
        sa.Column("spaces", sa.Integer(), nullable=False),
        sa.Column("occupied", sa.Integer(), nullable=False),
        sa.Column("is_full", sa.Boolean(), nullable=False),
        sa.Column("reopen_free", sa.Integer(), nullable=False),
        sa.Column("keeps_closed", sa.Boolean(), nullable=False),
        sa.Column("below_zero", sa.Integer(), nullable=False),
        sa.Column("overflowed", sa.Integer(), nullable=False),
        sa.Column("counted_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("occupied >= 0", name=op.f("ck_space_pools_occupied_not_negative")),
        sa.CheckConstraint("spaces >= 0", name=op.f("ck_space_pools_spaces_not_negative")),
        sa.CheckConstraint("reopen_free > 0", name=op.f("ck_space_pools_reopen_free_positive")),
        sa.ForeignKeyConstraint(
            ["operator_id", "area_id"],
            ["identified_areas.operator_id", "identified_areas.id"],
            name=op.f("fk_space_pools_operator_id"),
        ),
        sa.PrimaryKeyConstraint("operator_id", "id", name=op.f("pk_space_pools")),
        # Counted at every passage: with room in its page a row's new version moves no index.
        postgresql_with={"fillfactor": 60},
    )
    op.create_index(
        "uq_space_pools_public",
        "space_pools",
        ["operator_id", "area_id"],
        unique=True,
        postgresql_where="specification_id IS NULL",
    )
    op.create_index(
        "uq_space_pools_reserved",
        "space_pools",
        ["operator_id", "area_id", "specification_id"],
        unique=True,
        postgresql_where="specification_id IS NOT NULL",
    )
    op.create_index("ix_space_pools_place", "space_pools", ["operator_id", "place_id"])
    op.create_table(
        "occupancy_counts",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("pool_id", sa.Uuid(), nullable=False),
        sa.Column("place_id", sa.Uuid(), nullable=False),
        sa.Column("occupied_before", sa.Integer(), nullable=False),
        sa.Column("occupied_after", sa.Integer(), nullable=False),
        sa.Column("sessions", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("counted_by", sa.String(), nullable=False),
        sa.Column("counted_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("operator_id", "id", name=op.f("pk_occupancy_counts")),
        postgresql_partition_by="RANGE (id)",
    )
    op.create_index(
        "ix_occupancy_counts_pool", "occupancy_counts", ["operator_id", "pool_id", "id"]
    )


def _create_reviews() -> None:
    op.create_table(
        "misread_reviews",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("place_id", sa.Uuid(), nullable=False),
        sa.Column("lane_id", sa.Uuid(), nullable=False),
        sa.Column("presentation_id", sa.Uuid(), nullable=True),
        sa.Column("session_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("plate_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("alternatives_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("confidence", sa.Float(), nullable=True),
        sa.Column("detail", JSONB(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("claimed_by", sa.String(), nullable=True),
        sa.Column("claimed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_by", sa.String(), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("operator_id", "id", name=op.f("pk_misread_reviews")),
        postgresql_partition_by="RANGE (id)",
    )
    op.create_index(
        "ix_misread_reviews_open",
        "misread_reviews",
        ["operator_id", "id"],
        postgresql_where="state = 'open'",
    )
    op.create_index(
        "ix_misread_reviews_presentation", "misread_reviews", ["operator_id", "presentation_id"]
    )
    op.create_table(
        "review_actions",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("review_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("acted_by", sa.String(), nullable=False),
        sa.Column("acted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("plate_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("note_sealed", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("operator_id", "id", name=op.f("pk_review_actions")),
        postgresql_partition_by="RANGE (id)",
    )
    op.create_index(
        "ix_review_actions_review", "review_actions", ["operator_id", "review_id", "id"]
    )


def downgrade() -> None:
    for table in ("review_actions", "misread_reviews", "occupancy_counts", "space_pools"):
        op.drop_table(table)
    op.drop_column("presentations", "has_newer_read")
    op.drop_column("open_sessions", "pool_id")
    op.drop_column("open_sessions", "area_id")

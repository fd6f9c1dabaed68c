"""where places are, and how full they usually are at each hour of the week

Revision: 0040, after 0039, 2026-11-24 00:33:00.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_identified_areas_place", "identified_areas", ["operator_id", "place_id"])
    op.create_table(
        "place_positions",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("place_id", sa.Uuid(), nullable=False),
        sa.Column("latitude_microdegrees", sa.Integer(), nullable=False),
        sa.Column("longitude_microdegrees", sa.Integer(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("entrances", JSONB(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("set_by", sa.String(), nullable=False),
        sa.CheckConstraint(
            "abs(latitude_microdegrees) <= 90000000", name=op.f("ck_place_positions_latitude")
        ),
        sa.CheckConstraint(
            "longitude_microdegrees >= -180000000 AND longitude_microdegrees < 180000000",
            name=op.f("ck_place_positions_longitude"),
        ),
        sa.ForeignKeyConstraint(
            ["operator_id", "place_id"],
            ["places.operator_id", "places.id"],
            name=op.f("fk_place_positions_operator_id_place_id"),
        ),
        sa.PrimaryKeyConstraint("operator_id", "place_id", name=op.f("pk_place_positions")),
    )
    op.create_index(
        "ix_place_positions_point",
        "place_positions",
        [sa.text("point(longitude_microdegrees, latitude_microdegrees)")],
        postgresql_using="gist",
    )
    op.create_table(
        "pool_patterns",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("pool_id", sa.Uuid(), nullable=False),
        sa.Column("place_id", sa.Uuid(), nullable=False),
        sa.Column("deviation", sa.Float(), nullable=True),
        sa.Column("products", sa.Float(), nullable=False),
        sa.Column("squares", sa.Float(), nullable=False),
        sa.Column("sampled_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["operator_id", "pool_id"],
            ["space_pools.operator_id", "space_pools.id"],
            name=op.f("fk_pool_patterns_operator_id_pool_id"),
        ),
        sa.PrimaryKeyConstraint("operator_id", "pool_id", name=op.f("pk_pool_patterns")),
    )
    op.create_index("ix_pool_patterns_sampled", "pool_patterns", ["sampled_at"])
    op.create_index("ix_pool_patterns_place", "pool_patterns", ["operator_id", "place_id"])
    op.create_table(
        "hour_patterns",
        sa.Column("operator_id", sa.Uuid(), nullable=False),
        sa.Column("pool_id", sa.Uuid(), nullable=False),
        sa.Column("hour_of_week", sa.Integer(), nullable=False),
        sa.Column("samples", sa.Integer(), nullable=False),
        sa.Column("weight", sa.Float(), nullable=False),
        sa.Column("weight_squares", sa.Float(), nullable=False),
        sa.Column("mean", sa.Float(), nullable=False),
        sa.Column("squares", sa.Float(), nullable=False),
        sa.Column("sampled_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "hour_of_week BETWEEN 0 AND 167", name=op.f("ck_hour_patterns_hour_of_week")
        ),
        sa.CheckConstraint("mean BETWEEN 0 AND 1", name=op.f("ck_hour_patterns_mean_is_share")),
        sa.ForeignKeyConstraint(
            ["operator_id", "pool_id"],
            ["pool_patterns.operator_id", "pool_patterns.pool_id"],
            name=op.f("fk_hour_patterns_operator_id_pool_id"),
        ),
        sa.PrimaryKeyConstraint(
            "operator_id", "pool_id", "hour_of_week", name=op.f("pk_hour_patterns")
        ),
    )


def downgrade() -> None:
    op.drop_table("hour_patterns")
    op.drop_index("ix_pool_patterns_place", table_name="pool_patterns")
    op.drop_index("ix_pool_patterns_sampled", table_name="pool_patterns")
    op.drop_table("pool_patterns")
    op.drop_index("ix_place_positions_point", table_name="place_positions")
    op.drop_table("place_positions")
    op.drop_index("ix_identified_areas_place", table_name="identified_areas")

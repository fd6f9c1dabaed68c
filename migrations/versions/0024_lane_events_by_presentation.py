"""what a lane told of one car, found by the car

Revision: 0024, after 0023, 2026-11-23 18:24:00.
"""

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_lane_events_presentation", "lane_events", ["operator_id", "presentation_id", "seq"]
    )


def downgrade() -> None:
    op.drop_index("ix_lane_events_presentation", table_name="lane_events")

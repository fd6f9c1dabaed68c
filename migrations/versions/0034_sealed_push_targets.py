"""push targets sealed and found by a blind index, as plates and phone numbers are

Revision: 0034, after 0033, 2026-11-23 22:07:00.

Those that are registered cannot be sealed here, where no key is: apps register at each start, and
until then messages go by the next channel.
"""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("DELETE FROM devices")
    op.drop_index("ix_devices_target", table_name="devices")
    op.drop_constraint("uq_devices_driver_id_target", "devices", type_="unique")
    op.drop_column("devices", "target")
    op.add_column("devices", sa.Column("target_index", sa.Uuid(), nullable=False))
    op.add_column("devices", sa.Column("target_sealed", sa.LargeBinary(), nullable=False))
    op.create_unique_constraint(
        "uq_devices_driver_id_target_index", "devices", ["driver_id", "target_index"]
    )
    op.create_index("ix_devices_target_index", "devices", ["target_index"])


def downgrade() -> None:
    op.execute("DELETE FROM devices")
    op.drop_index("ix_devices_target_index", table_name="devices")
    op.drop_constraint("uq_devices_driver_id_target_index", "devices", type_="unique")
    op.drop_column("devices", "target_sealed")
    op.drop_column("devices", "target_index")
    op.add_column("devices", sa.Column("target", sa.String(), nullable=False))
    op.create_unique_constraint("uq_devices_driver_id_target", "devices", ["driver_id", "target"])
    op.create_index("ix_devices_target", "devices", ["target"])

"""deductions by text

Revision: 0015, after 0014, 2026-11-23 12:20:00.

A message may go to a driver's number instead of a device, and the number is found by the driver.
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.alter_column("deliveries", "device_id", existing_type=sa.Uuid(), nullable=True)
    op.create_index("ix_phone_numbers_driver", "phone_numbers", ["driver_id"])


def downgrade() -> None:
    op.drop_index("ix_phone_numbers_driver", table_name="phone_numbers")
    op.execute("DELETE FROM deliveries WHERE device_id IS NULL")
    op.alter_column("deliveries", "device_id", existing_type=sa.Uuid(), nullable=False)

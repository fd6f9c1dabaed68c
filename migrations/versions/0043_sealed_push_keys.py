"""keys of browsers sealed, as the targets are that they belong to

Revision: 0043, after 0042, 2026-11-24 01:55:00.

Those that are registered cannot be sealed here, where no key is: pages register at each start, and
until then messages go by the next channel.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("DELETE FROM devices WHERE target_kind = 'web_push'")
    op.drop_column("devices", "push_keys")
    op.add_column("devices", sa.Column("push_keys_sealed", sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    op.execute("DELETE FROM devices WHERE target_kind = 'web_push'")
    op.drop_column("devices", "push_keys_sealed")
    op.add_column("devices", sa.Column("push_keys", JSONB(), nullable=True))

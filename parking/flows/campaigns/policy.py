"""What an operator allows itself, all campaigns together."""

from uuid import UUID

from sqlalchemy.dialects.postgresql import insert

from parking.campaigns import repository
from parking.campaigns.caps import Caps
from parking.campaigns.models import CampaignPolicy
from parking.flows.context import ParkingContext
from parking.staff import acting
from parking.staff.rules import StaffIdentity


async def find(context: ParkingContext, operator_id: UUID) -> CampaignPolicy:
    """Return an operator's policy; the house's own where it never said."""
    async with context.database.begin() as unit:
        return await repository.find_policy(unit, operator_id)


async def set_policy(context: ParkingContext, staff: StaffIdentity, caps: Caps) -> CampaignPolicy:
    """Write what an operator allows itself; its control group is drawn by the same salt for ever.

    A larger share of control adds drivers to the group, and a smaller one lets some go: those who
    are in it with both shares are the same.
    """
    async with context.database.begin() as unit:
        before = await repository.find_policy(unit, staff.operator_id)
        row = CampaignPolicy(
            operator_id=staff.operator_id,
            day_messages_max=caps.day,
            week_messages_max=caps.week,
            control_permille=caps.control_permille,
            salt=before.salt,
            set_by=staff.recorded_name,
            set_at=unit.now(),
        )
        acting.note_change(before=_said(before), after=_said(row))
        values = row.model_dump()
        changes = {name: values[name] for name in values if name not in {"operator_id", "salt"}}
        statement = insert(CampaignPolicy).values(values)
        await unit.run(
            statement.on_conflict_do_update(index_elements=["operator_id"], set_=changes)
        )
    return row


def _said(row: CampaignPolicy) -> dict[str, int]:
    return {
        "dayMessagesMax": row.day_messages_max,
        "weekMessagesMax": row.week_messages_max,
        "controlPermille": row.control_permille,
    }

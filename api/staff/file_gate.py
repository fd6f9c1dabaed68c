"""The way to a file of the staff's: who asks, whether they may, and that they were refused."""

from api.request import RequestContext
from api.staff.permissions import Permission
from parking.staff.acting import Act, Outcome
from parking.staff.errors import StaffForbiddenError
from parking.staff.rules import StaffIdentity


async def admit(
    context: RequestContext, permission: Permission, action: str, name: str
) -> StaffIdentity:
    """Return which member asks for a file that they may have; a refusal is kept as of a field.

    Raises:
        TokenExpiredError: the token's time is over.
        TokenRefusedError: there is no token of the staff realm, or its sign-in has ended.
        StaffForbiddenError: none of their roles or places allows it.
    """
    staff = await context.check_staff()
    try:
        permission.require(staff)
    except StaffForbiddenError as error:
        await _keep(context, staff, action, name, error.code)
        raise
    return staff


async def keep_opened(
    context: RequestContext, staff: StaffIdentity, action: str, name: str
) -> None:
    """Keep that a member opened a file, before they have it."""
    await _keep(context, staff, action, name, None)


async def _keep(
    context: RequestContext, staff: StaffIdentity, action: str, name: str, code: str | None
) -> None:
    act = Act(staff, action, {"name": name}, context.correlation_id, context.parking.clock)
    outcome = Outcome.DONE if code is None else Outcome.REFUSED
    await act.close(context.parking.database, outcome, code)

"""Forgetting what was learned of a driver."""

import strawberry

from api.acting import outcome_of
from api.idempotency import by_driver, keyed
from api.request import Info
from parking.flows.habits import own_habits


@strawberry.type(description="What was learned of your habits is deleted.")
class HabitsForgotten:
    """It is deleted."""

    places: int = strawberry.field(description="Of how many places something was known.")


# Kept with its key: one that comes late a second time must not forget what was learned since.
@keyed(by_driver, at_once=True)
async def forget_habits(info: Info) -> HabitsForgotten:
    """Forget the driver's habits."""
    driver_id = await info.context.driver_id()
    return HabitsForgotten(places=await own_habits.forget(info.context.parking, driver_id))


@strawberry.type
class HabitMutations:
    """The mutations of this module."""

    forget_habits = strawberry.mutation(
        forget_habits,
        graphql_type=outcome_of(HabitsForgotten, "ForgetHabitsResult"),
        description="Delete what was learned of when you park, and learn nothing from before "
        "again. Your consent stands: end it with `setConsent` to learn nothing later either.",
    )

"""What a driver is told of their own habits."""

from datetime import date, time

import strawberry

from api.types.passes import Weekday
from api.types.place import Place
from parking.flows.habits.own_habits import HabitView
from parking.habits.telling import UsualDay


@strawberry.type(description="A day on which you are thought to come, and when.")
class HabitDay:
    """A day on which a driver is thought to come."""

    weekday: Weekday = strawberry.field(description="The day, where the place is.")
    percent: int = strawberry.field(description="In how many of a hundred weeks; 10 or more.")
    arrives_from: time = strawberry.field(description="Local to the place; may pass midnight.")
    arrives_until: time = strawberry.field(description="Local to the place; may pass midnight.")

    @classmethod
    def of(cls, day: UsualDay) -> "HabitDay":
        """Return a day for its driver."""
        return cls(
            weekday=list(Weekday)[day.weekday],
            percent=day.percent,
            arrives_from=day.arrives_from,
            arrives_until=day.arrives_until,
        )


@strawberry.type(description="What was learned of when you park at one place.")
class Habit:
    """What was learned of one driver at one place."""

    place: Place = strawberry.field(description="Where.")
    visits: int = strawberry.field(description="Days with a visit that were learned from.")
    last_visit_on: date = strawberry.field(description="The last of them, where the place is.")
    days: list[HabitDay] = strawberry.field(description="Monday first; empty for no such days.")
    summary: str = strawberry.field(description="In words, in the language of messages.")

    @classmethod
    def of(cls, view: HabitView) -> "Habit":
        """Return a habit for its driver."""
        return cls(
            place=Place.of(view.place),
            visits=view.row.visits,
            last_visit_on=view.row.last_day,
            days=[HabitDay.of(day) for day in view.days],
            summary=view.summary,
        )

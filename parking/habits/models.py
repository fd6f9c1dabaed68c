"""What was learned of drivers who allowed it, and what it is weighed by."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index
from sqlmodel import Field

from parking.kit.columns import Json, Row, Timestamp


class Habit(Row, table=True):
    """What is remembered of one driver at one place, as it stood on the day of the last visit.

    No foreign key leads to the driver: whoever writes here holds the driver's consent.

    Attributes:
        first_day: Since when the driver is known anywhere.
        visits: Days with a visit.
        recent: Bit i: there was a visit i days before `last_day`.
        sums: `HabitState.sums`, packed.
        visited_at: The last arrival that was counted, for retention.
    """

    __tablename__ = "habits"
    __table_args__ = (
        CheckConstraint("visits > 0", name="visits_positive"),
        Index("ix_habits_driver", "driver_id"),
    )

    operator_id: UUID = Field(primary_key=True)
    place_id: UUID = Field(primary_key=True)
    driver_id: UUID = Field(primary_key=True)
    first_day: date
    last_day: date
    visits: int
    recent: int = Field(sa_type=BigInteger)
    sums: bytes
    visited_at: datetime = Field(sa_type=Timestamp)


class HabitReset(Row, table=True):
    """When a driver last had their habits forgotten: what was before is not learned again."""

    __tablename__ = "habit_resets"

    driver_id: UUID = Field(primary_key=True)
    forgotten_at: datetime = Field(sa_type=Timestamp)


class HabitFit(Row, table=True):
    """A version of the weights, fitted to what an operator's drivers did; it names none of them.

    Attributes:
        weights: By feature.
        outcomes: How many driver-place-days it was fitted to.
        calibration_error: Of the weights before it, on these outcomes.
    """

    __tablename__ = "habit_fits"

    operator_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    weights: dict[str, float] = Field(sa_type=Json)
    outcomes: int
    visits: int
    calibration_error: float
    fitted_at: datetime = Field(sa_type=Timestamp)

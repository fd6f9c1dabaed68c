"""How full pools usually are at each hour of the week, as the clock at their place says."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index
from sqlmodel import Field

from parking.kit.columns import Row, Timestamp


class PoolPattern(Row, table=True):
    """What is known of a pool at any hour; a row for each pool that is sampled.

    Attributes:
        deviation: How far the newest sample was from its hour's mean, in standard deviations;
            None where that hour had too little history.
        products: Decayed sum of each deviation times the one an hour before.
        squares: Decayed sum of squares of the deviations before.
        sampled_at: When it was counted last.
    """

    __tablename__ = "pool_patterns"
    __table_args__ = (
        ForeignKeyConstraint(
            ["operator_id", "pool_id"], ["space_pools.operator_id", "space_pools.id"]
        ),
        Index("ix_pool_patterns_sampled", "sampled_at"),
        Index("ix_pool_patterns_place", "operator_id", "place_id"),
    )

    operator_id: UUID = Field(primary_key=True)
    pool_id: UUID = Field(primary_key=True)
    place_id: UUID
    deviation: float | None = None
    products: float = 0
    squares: float = 0
    sampled_at: datetime = Field(sa_type=Timestamp)


class HourPattern(Row, table=True):
    """How full a pool is at one hour of the week: 168 rows a pool at most, whatever its age.

    Attributes:
        hour_of_week: 0 is Monday from 00:00 to 01:00 on the wall clock of the place.
        samples: How many were taken, ever.
        weight: Decayed number of samples.
        weight_squares: Decayed sum of the squares of their weights.
        mean: Decayed mean of the occupied share, 0 to 1.
        squares: Decayed sum of squares of the distances from the mean.
        sampled_at: When the newest one was taken.
    """

    __tablename__ = "hour_patterns"
    __table_args__ = (
        ForeignKeyConstraint(
            ["operator_id", "pool_id"], ["pool_patterns.operator_id", "pool_patterns.pool_id"]
        ),
        CheckConstraint("hour_of_week BETWEEN 0 AND 167", name="hour_of_week"),
        CheckConstraint("mean BETWEEN 0 AND 1", name="mean_is_share"),
    )

    operator_id: UUID = Field(primary_key=True)
    pool_id: UUID = Field(primary_key=True)
    hour_of_week: int = Field(primary_key=True)
    samples: int
    weight: float
    weight_squares: float
    mean: float
    squares: float
    sampled_at: datetime = Field(sa_type=Timestamp)

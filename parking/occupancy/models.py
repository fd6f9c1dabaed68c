"""How many cars stand where: pools of spaces, each counted in one row, and what was recounted."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index
from sqlmodel import Field

from parking.kit.columns import PARTITIONED, Row, Timestamp


class SpacePool(Row, table=True):
    """Spaces of an area that are counted together: the public ones, or those kept for a pass.

    Attributes:
        specification_id: The pass whose cars the spaces are kept for; None for the public pool.
        spaces: Supply. The public pool has what the reserved ones leave of the area's.
        occupied: Demand, counted; more than `spaces` where cars are let in all the same.
        kept: Spaces of the public pool that wait for cars with a reservation.
        is_full: What the sign says.
        reopen_free: So many spaces must be free before a full sign goes out.
        keeps_closed: Whether a full sign also keeps cars without a space out.
        below_zero: How often a car left while nobody was counted: the count was too low.
        overflowed: How many cars came in beyond the supply.
        recount_hour: Of the night at the place, in a public pool: its area's counts are then set
            to the open stays; None for never.
        recounted_on: The place's day on which that was done last.
    """

    __tablename__ = "space_pools"
    __table_args__ = (
        ForeignKeyConstraint(
            ["operator_id", "area_id"], ["identified_areas.operator_id", "identified_areas.id"]
        ),
        CheckConstraint("occupied >= 0", name="occupied_not_negative"),
        CheckConstraint("spaces >= 0", name="spaces_not_negative"),
        CheckConstraint("kept >= 0", name="kept_not_negative"),
        CheckConstraint("reopen_free > 0", name="reopen_free_positive"),
        CheckConstraint("recount_hour BETWEEN 0 AND 23", name="recount_hour_of_day"),
        Index(
            "ix_space_pools_recount",
            "operator_id",
            "id",
            postgresql_where="recount_hour IS NOT NULL",
        ),
        Index(
            "uq_space_pools_public",
            "operator_id",
            "area_id",
            unique=True,
            postgresql_where="specification_id IS NULL",
        ),
        Index(
            "uq_space_pools_reserved",
            "operator_id",
            "area_id",
            "specification_id",
            unique=True,
            postgresql_where="specification_id IS NOT NULL",
        ),
        Index("ix_space_pools_place", "operator_id", "place_id"),
    )

    operator_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    place_id: UUID
    area_id: UUID
    specification_id: UUID | None = None
    spaces: int
    occupied: int = 0
    kept: int = 0
    is_full: bool = False
    reopen_free: int = 1
    keeps_closed: bool = False
    below_zero: int = 0
    overflowed: int = 0
    recount_hour: int | None = None
    recounted_on: date | None = None
    counted_at: datetime = Field(sa_type=Timestamp)


class OccupancyCount(Row, table=True):
    """A named person, or the nightly recount, set a pool's count; never changed.

    Attributes:
        sessions: How many open stays stood in the pool then.
    """

    __tablename__ = "occupancy_counts"
    __table_args__ = (
        Index("ix_occupancy_counts_pool", "operator_id", "pool_id", "id"),
        PARTITIONED,
    )

    operator_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    pool_id: UUID
    place_id: UUID
    occupied_before: int
    occupied_after: int
    sessions: int
    reason: str
    counted_by: str
    counted_at: datetime = Field(sa_type=Timestamp)

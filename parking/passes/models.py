"""What operators sell as passes, who holds one, and which cars stand on its spaces.

A product is a `RightSpecification`, a held pass an `AssignedRight`.
"""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKeyConstraint, Index, UniqueConstraint
from sqlmodel import Field

from parking.kit.columns import Json, Row, Timestamp, text_enum
from parking.passes.periods import PeriodKind


class PassState(StrEnum):
    """Where a held pass stands. ACTIVE and GRACE open gates; all but PENDING of the rest ended."""

    PENDING = "pending"
    ACTIVE = "active"
    GRACE = "grace"
    FAILED = "failed"
    ENDED = "ended"
    LAPSED = "lapsed"
    CANCELLED = "cancelled"
    REVOKED = "revoked"


class RightSpecification(Row, table=True):
    """A pass as an operator sells it; only its price, its sale and its counter ever change.

    Attributes:
        place_ids: The places that it covers, as text; all of one time zone and currency.
        area_id: The only area of the only place that it covers; None for whole places.
        weekdays: Monday is 0.
        from_minute: Local time of day, in minutes.
        to_minute: At most 1440; not later than `from_minute` means on the next day.
        retry_days: Days after the period's end on which a refused renewal is tried again.
        sold: Passes that are pending or valid now; counted up and down with them.
        valid_until: No period begins from this day on.
    """

    __tablename__ = "right_specifications"
    __table_args__ = (
        ForeignKeyConstraint(["operator_id"], ["operators.id"]),
        CheckConstraint("price_minor >= 0", name="price_not_negative"),
        CheckConstraint("sold >= 0", name="sold_not_negative"),
        CheckConstraint("quantity IS NULL OR sold <= quantity", name="not_oversold"),
    )

    operator_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    name: str
    place_ids: list[str] = Field(sa_type=Json)
    area_id: UUID | None = None
    timezone: str
    weekdays: list[int] = Field(sa_type=Json)
    from_minute: int
    to_minute: int
    price_minor: int = Field(sa_type=BigInteger)
    currency: str
    period: PeriodKind = Field(sa_type=text_enum(PeriodKind))
    period_days: int | None = None
    is_prorated: bool
    plates_max: int
    spaces: int
    renews_by_default: bool
    notice_days: int
    retry_days: list[int] = Field(sa_type=Json)
    grace_days: int
    quantity: int | None = None
    sold: int = 0
    valid_from: date | None = None
    valid_until: date | None = None
    is_on_sale: bool
    created_at: datetime = Field(sa_type=Timestamp)
    created_by: str


class AssignedRight(Row, table=True):
    """A pass that somebody holds.

    Attributes:
        driver_id: Who bought it; None for one that staff granted to plates.
        first_day: The local day on which it began: every period's end is counted from it.
        periods: How many periods are paid.
        price_minor: What the period that is paid now would cost in full.
        paid_minor: What was paid for that period.
        bill_id: The bill of the purchase or renewal that is under way or was the last.
        announced_minor: The price of the next period as its holder was told it.
        announced_until: The end of the period in which that was told.
        tries: How often the renewal that is due was tried.
        stays_stale: Whether stays under way must hear of a change of the validity.
        next_step_at: When the periodic work looks at it again; None when it never has to.
    """

    __tablename__ = "assigned_rights"
    __table_args__ = (
        ForeignKeyConstraint(
            ["operator_id", "specification_id"],
            ["right_specifications.operator_id", "right_specifications.id"],
        ),
        Index("ix_assigned_rights_specification", "operator_id", "specification_id", "id"),
        Index(
            "ix_assigned_rights_due", "next_step_at", postgresql_where="next_step_at IS NOT NULL"
        ),
    )

    operator_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    specification_id: UUID
    driver_id: UUID | None = None
    state: PassState = Field(sa_type=text_enum(PassState))
    version: int = 0
    renews: bool
    first_day: date
    starts_at: datetime = Field(sa_type=Timestamp)
    paid_until: datetime = Field(sa_type=Timestamp)
    periods: int = 0
    price_minor: int = Field(sa_type=BigInteger)
    paid_minor: int = Field(default=0, sa_type=BigInteger)
    bill_id: UUID | None = None
    announced_minor: int | None = Field(default=None, sa_type=BigInteger)
    announced_until: datetime | None = Field(default=None, sa_type=Timestamp)
    tries: int = 0
    tried_at: datetime | None = Field(default=None, sa_type=Timestamp)
    stays_stale: bool = False
    next_step_at: datetime | None = Field(default=None, sa_type=Timestamp)
    created_at: datetime = Field(sa_type=Timestamp)
    ended_at: datetime | None = Field(default=None, sa_type=Timestamp)
    decided_by: str | None = None
    reason: str | None = None


class RightPlate(Row, table=True):
    """A plate on a pass, from `added_at` to `removed_at`."""

    __tablename__ = "right_plates"
    __table_args__ = (
        ForeignKeyConstraint(
            ["operator_id", "right_id"], ["assigned_rights.operator_id", "assigned_rights.id"]
        ),
        # Read for every car at every entry, also for those without a pass.
        Index(
            "ix_right_plates_plate",
            "plate_index",
            "operator_id",
            postgresql_where="removed_at IS NULL",
        ),
        Index(
            "uq_right_plates_active",
            "operator_id",
            "right_id",
            "plate_index",
            unique=True,
            postgresql_where="removed_at IS NULL",
        ),
    )

    operator_id: UUID = Field(primary_key=True)
    right_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    plate_index: UUID
    plate_sealed: bytes
    added_at: datetime = Field(sa_type=Timestamp)
    removed_at: datetime | None = Field(default=None, sa_type=Timestamp)


class RightSpace(Row, table=True):
    """One of a pass's spaces while a car stands on it; the key keeps two cars from sharing it."""

    __tablename__ = "right_spaces"
    __table_args__ = (UniqueConstraint("operator_id", "session_id", "right_id"),)

    operator_id: UUID = Field(primary_key=True)
    right_id: UUID = Field(primary_key=True)
    slot: int = Field(primary_key=True)
    session_id: UUID
    place_id: UUID
    area_id: UUID
    taken_at: datetime = Field(sa_type=Timestamp)


class DriverRight(Row, table=True):
    """A driver's own list of passes of any operator.

    Attributes:
        request_key: What the app called the purchase: asking again under it buys nothing more.
    """

    __tablename__ = "driver_rights"
    __table_args__ = (UniqueConstraint("driver_id", "request_key"),)

    driver_id: UUID = Field(primary_key=True)
    right_id: UUID = Field(primary_key=True)
    operator_id: UUID
    request_key: str

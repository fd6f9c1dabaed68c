"""Whom an operator may write to, what it wants to say, and what became of it."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKeyConstraint, Index, UniqueConstraint
from sqlmodel import Field

from parking.kit.columns import PARTITIONED, Json, Row, Timestamp, text_enum

_CAMPAIGN = ["campaigns.operator_id", "campaigns.id"]


class CampaignState(StrEnum):
    """Where a campaign stands; only what a second person approved ever runs."""

    DRAFT = "draft"
    SUBMITTED = "submitted"
    RUNNING = "running"
    PAUSED = "paused"
    ENDED = "ended"
    DISCARDED = "discarded"


class RunState(StrEnum):
    """Whether a run still looks for its drivers."""

    QUEUEING = "queueing"
    QUEUED = "queued"
    ENDED = "ended"


class Arm(StrEnum):
    """Which way the hash sent a driver.

    Attributes:
        ASSIGNED: To be written to, whether or not a message came of it.
        HELD_OUT: Not by this campaign, so that its effect can be told.
        CONTROL: Not by any campaign, so that the effect of all together can be told.
        TEST: A named test driver; counts nowhere.
    """

    ASSIGNED = "assigned"
    HELD_OUT = "held_out"
    CONTROL = "control"
    TEST = "test"


class SendState(StrEnum):
    """What became of one driver of a run."""

    QUEUED = "queued"
    SENT = "sent"
    KEPT = "kept"
    CAPPED = "capped"
    UNAFFORDABLE = "unaffordable"
    WITHDRAWN = "withdrawn"
    EXHAUSTED = "exhausted"
    EXPIRED = "expired"
    ENDED = "ended"


class AudienceMember(Row, table=True):
    """What an operator may know, for offers, of one driver who agreed to offers.

    Attributes:
        timezone: Of the place where they were last: their days are counted on its wall.
        vehicle_kinds: Of the cars that they came with, as rate tables name them.
    """

    __tablename__ = "audience_members"
    __table_args__ = (
        ForeignKeyConstraint(["driver_id"], ["drivers.id"]),
        Index("ix_audience_members_driver", "driver_id"),
    )

    operator_id: UUID = Field(primary_key=True)
    driver_id: UUID = Field(primary_key=True)
    timezone: str
    visits: int = 0
    last_visit_at: datetime | None = Field(default=None, sa_type=Timestamp)
    vehicle_kinds: list[str] = Field(default_factory=list, sa_type=Json)
    refreshed_at: datetime = Field(sa_type=Timestamp)


class AudiencePlace(Row, table=True):
    """How such a driver uses one place."""

    __tablename__ = "audience_places"
    __table_args__ = (
        ForeignKeyConstraint(["driver_id"], ["drivers.id"]),
        Index("ix_audience_places_driver", "driver_id"),
    )

    operator_id: UUID = Field(primary_key=True)
    driver_id: UUID = Field(primary_key=True)
    place_id: UUID = Field(primary_key=True)
    visits: int
    last_visit_at: datetime = Field(sa_type=Timestamp)
    spent_minor: int = Field(sa_type=BigInteger)
    currency: str


class AudienceSegment(Row, table=True):
    """A filter that was given a name.

    Attributes:
        place_id: Only drivers of this place, whatever the filter says; None for all places.
    """

    __tablename__ = "audience_segments"
    __table_args__ = (
        ForeignKeyConstraint(["operator_id"], ["operators.id"]),
        UniqueConstraint("operator_id", "name"),
    )

    operator_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    name: str
    place_id: UUID | None = None
    filter: dict[str, Any] = Field(sa_type=Json)
    saved_by: str
    saved_at: datetime = Field(sa_type=Timestamp)


class Campaign(Row, table=True):
    """One campaign: what it says, to whom, when; who wrote and who approved it.

    Attributes:
        document: Everything that is approved, as `parking.campaigns.document` reads it.
        authors: Everybody who had a hand in it: none of them may approve it.
        approved_digest: Of the document that was approved: no other one runs.
        salt: Draws its holdout; never changed.
        queued_messages: Of the budget.
        committed_minor: Of the budget: what the queued messages may cost at most.
        next_run_at: When the next run is due; None for none.
    """

    __tablename__ = "campaigns"
    __table_args__ = (
        ForeignKeyConstraint(["operator_id"], ["operators.id"]),
        UniqueConstraint("operator_id", "name"),
        CheckConstraint(
            "approved_by IS NULL OR NOT jsonb_exists(authors, approved_by)", name="second_person"
        ),
        CheckConstraint(
            "state NOT IN ('running', 'paused', 'ended')"
            " OR approved_by IS NOT NULL AND approved_digest = md5(document::text)",
            name="runs_as_approved",
        ),
        CheckConstraint("jsonb_array_length(authors) > 0", name="has_author"),
        Index("ix_campaigns_due", "next_run_at", postgresql_where="state = 'running'"),
    )

    operator_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    name: str
    place_id: UUID | None = None
    state: CampaignState = Field(sa_type=text_enum(CampaignState))
    version: int = 1
    document: dict[str, Any] = Field(sa_type=Json)
    authors: list[str] = Field(sa_type=Json)
    salt: UUID
    created_at: datetime = Field(sa_type=Timestamp)
    submitted_by: str | None = None
    submitted_at: datetime | None = Field(default=None, sa_type=Timestamp)
    approved_by: str | None = None
    approved_at: datetime | None = Field(default=None, sa_type=Timestamp)
    approved_digest: str | None = None
    refusal_note: str | None = None
    next_run_at: datetime | None = Field(default=None, sa_type=Timestamp)
    ended_at: datetime | None = Field(default=None, sa_type=Timestamp)
    ended_because: str | None = None
    queued_messages: int = 0
    committed_minor: int = Field(default=0, sa_type=BigInteger)


class CampaignRun(Row, table=True):
    """One time that a campaign looks for its drivers, in chunks of their keys.

    Attributes:
        occurrence: What makes it the one run of its moment, such as a local day.
        position: The last driver looked at; None before the first chunk.
    """

    __tablename__ = "campaign_runs"
    __table_args__ = (
        ForeignKeyConstraint(["operator_id", "campaign_id"], _CAMPAIGN),
        UniqueConstraint("operator_id", "campaign_id", "occurrence"),
        Index("ix_campaign_runs_queueing", "id", postgresql_where="state = 'queueing'"),
    )

    operator_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    campaign_id: UUID
    occurrence: str
    state: RunState = Field(sa_type=text_enum(RunState))
    position: UUID | None = None
    started_at: datetime = Field(sa_type=Timestamp)
    queued_at: datetime | None = Field(default=None, sa_type=Timestamp)
    looked_at: int = 0
    assigned: int = 0
    held_out: int = 0
    control: int = 0
    queued: int = 0
    capped: int = 0
    unaffordable: int = 0


class CampaignSend(Row, table=True):
    """One driver of one run: there is no second one, whatever dies in between.

    Attributes:
        id: The run's, so that whole months drop with what their runs left.
        local_day: The driver's own day that the message counts for, of every cap.
        not_before: When it may go: after the quiet hours.
        event_id: Of the message that was handed over.
    """

    __tablename__ = "campaign_sends"
    # No key to the drivers: a million rows would each be looked up. Deleted accounts are swept.
    __table_args__ = (
        Index(
            "ix_campaign_sends_day",
            "driver_id",
            "local_day",
            postgresql_where="state IN ('queued', 'sent') AND arm = 'assigned'",
        ),
        Index("ix_campaign_sends_due", "not_before", postgresql_where="state = 'queued'"),
        PARTITIONED,
    )

    operator_id: UUID = Field(primary_key=True)
    id: UUID = Field(primary_key=True)
    driver_id: UUID = Field(primary_key=True)
    campaign_id: UUID
    arm: Arm = Field(sa_type=text_enum(Arm))
    state: SendState = Field(sa_type=text_enum(SendState))
    local_day: date
    not_before: datetime = Field(sa_type=Timestamp)
    assigned_at: datetime = Field(sa_type=Timestamp)
    sent_at: datetime | None = Field(default=None, sa_type=Timestamp)
    event_id: UUID | None = None


class CampaignPolicy(Row, table=True):
    """How often an operator may write to one driver, all campaigns together.

    Attributes:
        control_permille: How many of a thousand drivers no campaign writes to.
        salt: Draws them; never changed.
    """

    __tablename__ = "campaign_policies"
    __table_args__ = (ForeignKeyConstraint(["operator_id"], ["operators.id"]),)

    operator_id: UUID = Field(primary_key=True)
    day_messages_max: int
    week_messages_max: int
    control_permille: int
    salt: UUID
    set_by: str
    set_at: datetime = Field(sa_type=Timestamp)


class CampaignTestDriver(Row, table=True):
    """A driver who agreed to see campaigns before anybody else does."""

    __tablename__ = "campaign_test_drivers"
    __table_args__ = (
        ForeignKeyConstraint(["operator_id"], ["operators.id"]),
        ForeignKeyConstraint(["driver_id"], ["drivers.id"]),
        Index("ix_campaign_test_drivers_driver", "driver_id"),
    )

    operator_id: UUID = Field(primary_key=True)
    driver_id: UUID = Field(primary_key=True)
    label: str
    added_by: str
    added_at: datetime = Field(sa_type=Timestamp)

"""Of a driver's passes the one that covers most of a planned stay is named."""

from datetime import UTC, date, datetime, timedelta
from itertools import permutations
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from parking.flows.guidance.pass_cover import PassCover, cover_of
from parking.passes.models import AssignedRight, PassState, PeriodKind, RightSpecification

OPERATOR: Final = UUID(int=1)
PLACE: Final = UUID(int=2)
AREA: Final = UUID(int=3)
ZONE: Final = ZoneInfo("Asia/Shanghai")
# Tuesday at 10:00 there; the stay is of twelve hours.
ARRIVES_AT: Final = datetime(2026, 11, 24, 2, tzinfo=UTC)
LEAVES_AT: Final = ARRIVES_AT + timedelta(hours=12)

Held = tuple[AssignedRight, RightSpecification]


def held(name: str, from_hour: int, to_hour: int, **changes: object) -> Held:
    product = RightSpecification(
        operator_id=OPERATOR,
        id=UUID(int=4),
        name=name,
        place_ids=[str(PLACE)],
        timezone=ZONE.key,
        weekdays=list(range(7)),
        from_minute=from_hour * 60,
        to_minute=to_hour * 60,
        price_minor=30_000,
        currency="CNY",
        period=PeriodKind.CALENDAR_MONTH,
        is_prorated=False,
        plates_max=1,
        spaces=1,
        renews_by_default=False,
        notice_days=3,
        retry_days=[],
        grace_days=0,
        is_on_sale=True,
        created_at=ARRIVES_AT,
        created_by="Ada",
    )
    right = AssignedRight(
        operator_id=OPERATOR,
        id=UUID(int=5),
        specification_id=product.id,
        driver_id=UUID(int=6),
        state=PassState.ACTIVE,
        renews=False,
        first_day=date(2026, 11, 1),
        starts_at=ARRIVES_AT - timedelta(days=23),
        paid_until=ARRIVES_AT + timedelta(days=7),
        periods=1,
        price_minor=30_000,
        created_at=ARRIVES_AT - timedelta(days=23),
    )
    return right, product.model_copy(update=changes)


def cover(*passes: Held) -> PassCover | None:
    return cover_of(passes, (OPERATOR, PLACE), ZONE, arrives_at=ARRIVES_AT, leaves_at=LEAVES_AT)


def test_the_pass_that_covers_most_is_named_in_whatever_order_they_come() -> None:
    early, day = held("Early", 6, 11), held("Day", 8, 20)
    for passes in permutations((early, day)):
        assert cover(*passes) == PassCover("Day", None, is_whole_stay=False)
    always, here = held("Always", 0, 24), held("Here", 9, 23, area_id=AREA)
    for passes in permutations((early, day, here, always)):
        assert cover(*passes) == PassCover("Always", None, is_whole_stay=True)
    assert cover(here, day) == PassCover("Here", AREA, is_whole_stay=True)


def test_a_pass_of_other_hours_or_of_elsewhere_covers_nothing() -> None:
    assert cover(held("Night", 22, 6)) is None
    assert cover(held("Elsewhere", 0, 24, place_ids=[str(AREA)])) is None
    assert cover() is None

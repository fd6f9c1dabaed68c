"""What a pass comes to next, and until when it opens gates."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest

from parking.passes import rules
from parking.passes.models import AssignedRight, PassState, RightSpecification
from parking.passes.periods import PeriodKind
from parking.passes.rules import Step, StepKind

SHANGHAI_MIDNIGHT = timedelta(hours=16)
PAID_UNTIL = datetime(2026, 12, 23, tzinfo=UTC) - timedelta(days=1) + SHANGHAI_MIDNIGHT
ID = UUID(int=1)


def at(day: int, hour: int) -> datetime:
    """Return an hour of a December day in Shanghai."""
    return datetime(2026, 12, day, tzinfo=UTC) + timedelta(hours=hour - 8)


def product(**changes: object) -> RightSpecification:
    row = RightSpecification(
        operator_id=ID,
        id=ID,
        name="Month",
        place_ids=[],
        timezone="Asia/Shanghai",
        weekdays=list(range(7)),
        from_minute=0,
        to_minute=1440,
        price_minor=30_000,
        currency="CNY",
        period=PeriodKind.CALENDAR_MONTH,
        is_prorated=False,
        plates_max=1,
        spaces=1,
        renews_by_default=True,
        notice_days=3,
        retry_days=[1, 3],
        grace_days=5,
        is_on_sale=True,
        created_at=PAID_UNTIL,
        created_by="Ada",
    )
    return row.model_copy(update=changes)


def right(**changes: object) -> AssignedRight:
    row = AssignedRight(
        operator_id=ID,
        id=ID,
        specification_id=ID,
        driver_id=ID,
        state=PassState.ACTIVE,
        renews=True,
        first_day=date(2026, 11, 23),
        starts_at=PAID_UNTIL - timedelta(days=30),
        paid_until=PAID_UNTIL,
        periods=1,
        price_minor=30_000,
        created_at=PAID_UNTIL - timedelta(days=30),
    )
    return row.model_copy(update=changes)


def test_periods_end_at_local_midnight() -> None:
    assert rules.period_end(product(), date(2026, 11, 23), 1) == PAID_UNTIL == at(23, 0)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, Step(StepKind.NOTICE, at(20, 9))),
        ({"announced_until": PAID_UNTIL}, Step(StepKind.RENEW, at(23, 0))),
        ({"announced_until": PAID_UNTIL - timedelta(days=30)}, Step(StepKind.NOTICE, at(20, 9))),
        ({"state": PassState.GRACE, "tries": 1}, Step(StepKind.RENEW, at(24, 9))),
        ({"state": PassState.GRACE, "tries": 2}, Step(StepKind.RENEW, at(26, 9))),
        ({"state": PassState.GRACE, "tries": 3}, Step(StepKind.LAPSE, at(28, 0))),
        ({"renews": False}, Step(StepKind.END, at(23, 0))),
        ({"driver_id": None}, Step(StepKind.END, at(23, 0))),
        ({"state": PassState.GRACE, "tries": 1, "renews": False}, Step(StepKind.END, at(23, 0))),
        ({"state": PassState.LAPSED}, None),
        ({"state": PassState.CANCELLED}, None),
        ({"state": PassState.FAILED}, None),
    ],
)
def test_what_comes_next(changes: dict[str, object], expected: Step | None) -> None:
    assert rules.next_step(right(**changes), product()) == expected


def test_a_purchase_that_nobody_pays_is_given_up() -> None:
    pending = right(state=PassState.PENDING)
    due_at = pending.created_at + timedelta(minutes=2)
    assert rules.next_step(pending, product()) == Step(StepKind.GIVE_UP, due_at)
    assert rules.valid_until(pending, product()) is None


def test_a_pass_that_renews_is_valid_through_the_grace_time() -> None:
    assert rules.valid_until(right(), product()) == at(28, 0)
    assert rules.valid_until(right(state=PassState.GRACE), product()) == at(28, 0)
    # Without grace the work has a day to hear from the provider; a refusal takes it back.
    strict = product(grace_days=0, retry_days=[])
    assert rules.valid_until(right(), strict) == at(24, 0)
    assert rules.valid_until(right(state=PassState.GRACE, tries=1), strict) == at(23, 0)
    assert rules.valid_until(right(renews=False), product()) == at(23, 0)
    for state in (PassState.LAPSED, PassState.REVOKED, PassState.CANCELLED, PassState.ENDED):
        ended = right(state=state, ended_at=at(10, 12))
        assert rules.valid_until(ended, product()) is None
        assert rules.covered_until(ended, product()) == at(10, 12)
    never_paid = right(state=PassState.FAILED, periods=0, ended_at=at(10, 12))
    assert rules.covered_until(never_paid, product()) is None


def test_no_period_begins_once_the_product_has_ended() -> None:
    ending = product(valid_until=date(2026, 12, 23))
    assert rules.next_step(right(), ending) == Step(StepKind.END, at(23, 0))
    assert rules.valid_until(right(), ending) == at(23, 0)
    later = product(valid_until=date(2026, 12, 24))
    assert rules.next_step(right(), later) == Step(StepKind.NOTICE, at(20, 9))


def test_the_price_that_was_told_is_the_price_that_is_charged() -> None:
    raised = product(price_minor=40_000)
    untold = right()
    assert rules.next_price(untold) == 30_000
    assert rules.expected_price(untold, raised) == 40_000
    told = right(announced_until=PAID_UNTIL, announced_minor=35_000)
    assert rules.next_price(told) == rules.expected_price(told, raised) == 35_000


def test_a_renewal_that_nobody_tried_in_the_grace_is_not_charged_any_more() -> None:
    assert not rules.is_too_late(right(), product(), at(28, 0))
    assert rules.is_too_late(right(), product(), at(28, 1))
    strict = product(grace_days=0, retry_days=[])
    assert not rules.is_too_late(right(), strict, at(23, 1))
    assert rules.is_too_late(right(), strict, at(24, 1))

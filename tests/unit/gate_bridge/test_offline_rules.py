"""What a gate does for one car by itself."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate_bridge.agent.offline.rules import Spent, Verdict, WaitingCar, decide
from gate_bridge.wire.offline import OfflineReason
from parking.offline.bundle import Fallback, Right
from tests.factories.policies import ISSUED, listed, policy

PLATE = "京A88731"
NOON = ISSUED + timedelta(hours=4)
NOTHING = Spent()


def car(
    plate: str | None = PLATE, *, at: datetime | None = NOON, was_let_out: bool = False
) -> WaitingCar:
    return WaitingCar(plate, at, was_let_out)


def opens(reason: OfflineReason, risk_minor: int = 0, cars: int = 0) -> Verdict:
    return Verdict(is_open=True, reason=reason, risk_minor=risk_minor, cars=cars)


def stays_shut(reason: OfflineReason) -> Verdict:
    return Verdict(is_open=False, reason=reason)


@pytest.mark.parametrize(
    ("right", "expected"),
    [
        (Right.PASS, opens(OfflineReason.PASS)),
        (Right.REGISTERED, opens(OfflineReason.REGISTERED)),
        (Right.NOTHING_DUE, opens(OfflineReason.NOTHING_DUE)),
        (Right.UNPAID, stays_shut(OfflineReason.UNPAID)),
        (Right.CREDIT, opens(OfflineReason.CREDIT, 1500, 1)),
    ],
)
def test_a_listed_plate_has_its_right(right: Right, expected: Verdict) -> None:
    known = policy({PLATE: listed(right, risk_minor=1500, limit_minor=1500)})
    assert decide(known, car(), NOTHING) == expected


def test_a_plate_that_is_not_listed_gets_what_the_operator_chose() -> None:
    for fallback, reason in (
        (Fallback.ASK_STAFF, OfflineReason.ASK_STAFF),
        (Fallback.CLOSE, OfflineReason.FALLBACK),
    ):
        assert decide(policy(fallback=fallback), car(), NOTHING) == stays_shut(reason)
    opened = decide(policy(fallback=Fallback.OPEN), car(), NOTHING)
    assert opened == opens(OfflineReason.FALLBACK, 3000, 1)


def test_an_entry_opens_and_records_without_risk_where_a_plate_was_read() -> None:
    known = policy(direction="entry", fallback=Fallback.OPEN, cars=0)
    assert decide(known, car(), NOTHING) == opens(OfflineReason.FALLBACK)
    assert decide(known, car(None), NOTHING) == stays_shut(OfflineReason.CAP_REACHED)


@pytest.mark.parametrize(
    ("spent", "is_open"),
    [(Spent(1, 3500), True), (Spent(1, 3501), False), (Spent(2, 0), False)],
)
def test_the_cap_holds_by_cars_and_by_money(spent: Spent, *, is_open: bool) -> None:
    known = policy({PLATE: listed(Right.CREDIT, risk_minor=1500, limit_minor=9000)})
    verdict = decide(known, car(), spent)
    assert verdict.is_open is is_open
    assert is_open or verdict.reason is OfflineReason.CAP_REACHED


def test_credit_that_does_not_reach_is_none() -> None:
    known = policy({PLATE: listed(Right.CREDIT, risk_minor=1501, limit_minor=1500)})
    assert decide(known, car(), NOTHING) == stays_shut(OfflineReason.UNPAID)


def test_outside_of_its_time_a_policy_lists_nobody() -> None:
    known = policy({PLATE: listed(Right.PASS)})
    for at in (ISSUED - timedelta(seconds=1), ISSUED + timedelta(hours=24), None):
        assert decide(known, car(at=at), NOTHING) == stays_shut(OfflineReason.ASK_STAFF)
    assert decide(known, car(at=ISSUED), NOTHING).is_open


def test_without_a_time_the_operators_choice_still_holds() -> None:
    known = policy(direction="entry", fallback=Fallback.OPEN)
    assert decide(known, car(at=None), NOTHING) == opens(OfflineReason.FALLBACK)


def test_a_right_has_its_own_hours() -> None:
    late, early = NOON + timedelta(minutes=1), NOON
    for right in (listed(Right.PASS, begins_at=late), listed(Right.PASS, until=early)):
        assert not decide(policy({PLATE: right}), car(), NOTHING).is_open


@pytest.mark.parametrize("right", [Right.NOTHING_DUE, Right.CREDIT])
def test_one_stay_leaves_once(right: Right) -> None:
    known = policy({PLATE: listed(right, limit_minor=100)})
    assert decide(known, car(), NOTHING).is_open
    assert not decide(known, car(was_let_out=True), NOTHING).is_open


def test_a_pass_opens_again_and_again() -> None:
    known = policy({PLATE: listed(Right.PASS)})
    assert decide(known, car(was_let_out=True), NOTHING).is_open


@given(
    rights=st.lists(
        st.tuples(st.sampled_from(list(Right)), st.integers(0, 4000), st.integers(0, 4000)),
        max_size=12,
    ),
    arrivals=st.lists(
        st.tuples(st.integers(0, 14), st.integers(-2, 26), st.booleans()), max_size=40
    ),
    fallback=st.sampled_from(list(Fallback)),
    direction=st.sampled_from(["entry", "exit"]),
    cars=st.integers(0, 5),
    amount_minor=st.integers(0, 12_000),
)
def test_whatever_comes_the_cap_is_never_passed(
    rights: list[tuple[Right, int, int]],
    arrivals: list[tuple[int, int, bool]],
    fallback: Fallback,
    direction: str,
    cars: int,
    amount_minor: int,
) -> None:
    known = policy(
        {
            f"京A{number}": listed(right, risk_minor=risk, limit_minor=limit)
            for number, (right, risk, limit) in enumerate(rights)
        },
        fallback=fallback,
        direction=direction,
        cars=cars,
        amount_minor=amount_minor,
    )
    spent = Spent()
    for number, hours, is_read in arrivals:
        plate = f"京A{number}" if is_read else None
        verdict = decide(known, car(plate, at=ISSUED + timedelta(hours=hours)), spent)
        spent = Spent(spent.cars + verdict.cars, spent.amount_minor + verdict.risk_minor)
        assert verdict.is_open or (verdict.cars, verdict.risk_minor) == (0, 0)
        assert verdict.risk_minor == 0 or verdict.cars == 1
        if not 0 <= hours < 24 and fallback is not Fallback.OPEN:
            assert not verdict.is_open
    assert spent.cars <= cars
    assert spent.amount_minor <= amount_minor

"""Coupons of drivers: never negative, never cheaper for longer, and the best choice."""

from datetime import UTC, datetime, timedelta
from itertools import combinations, pairwise
from typing import Any, Final
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from parking.tariffs.coupon_choice import Decision, best, explain, lawful_combinations
from parking.tariffs.coupon_terms import CouponTerms
from parking.tariffs.rules import Circumstances, price, price_curve, read_rate_table

ENTERED: Final = datetime(2026, 3, 2, 9, tzinfo=UTC)
TABLE: Final = read_rate_table(
    {
        "timezone": "Asia/Shanghai",
        "currency": "CNY",
        "grace": 10,
        "collections": [{"lines": [{"kind": "increment", "value": 500, "block": 30, "from": 0}]}],
        "caps": [{"per": "calendar_day", "amount": 3000}],
    }
)


def coupon(number: int, kind: str, value: int | None = None, **terms: Any) -> CouponTerms:  # noqa: ANN401
    return CouponTerms.model_validate(
        {"id": UUID(int=number + 1), "name": f"c{number}", "kind": kind, "value": value, **terms}
    )


@st.composite
def some_coupons(draw: st.DrawFn) -> tuple[CouponTerms, ...]:
    kinds = draw(st.lists(st.sampled_from(["amount", "percent", "minutes", "free"]), max_size=5))
    return tuple(
        coupon(
            number,
            kind,
            None if kind == "free" else draw(st.integers(1, 100 if kind == "percent" else 900)),
            amount_minor_max=draw(st.none() | st.integers(1, 900)),
            group=draw(st.sampled_from(["", "a"])),
            is_exclusive=draw(st.booleans()),
            choice=draw(st.sampled_from(["auto", "auto", "pinned", "held"])),
        )
        for number, kind in enumerate(kinds)
    )


def due_minor(coupons: tuple[CouponTerms, ...], minutes: int) -> int:
    circumstances = Circumstances(coupons=coupons)
    until = ENTERED + timedelta(minutes=minutes)
    return price(TABLE, ENTERED, until, circumstances).total.amount_minor


@settings(max_examples=60, deadline=None)
@given(some_coupons(), st.integers(0, 700))
def test_the_best_lawful_choice_counts_and_is_told(
    coupons: tuple[CouponTerms, ...], minutes: int
) -> None:
    priced = price(
        TABLE, ENTERED, ENTERED + timedelta(minutes=minutes), Circumstances(coupons=coupons)
    )
    total = priced.total.amount_minor
    assert 0 <= total <= due_minor((), minutes)
    assert sum(line.amount_minor for line in priced.lines) == total
    free = [each for each in coupons if each.choice != "held"]
    lawful = [
        some
        for count in range(4)
        for some in combinations(free, count)
        if (count < 2 or not any(each.is_exclusive for each in some))
        and sum(each.group == "a" for each in some) < 2
        and sum(each.kind == "minutes" for each in some) < 2
    ]
    pins = max(sum(each.choice == "pinned" for each in some) for some in lawful)
    wanted = [some for some in lawful if sum(e.choice == "pinned" for e in some) == pins]
    assert total == min(due_minor(some, minutes) for some in wanted)


@settings(max_examples=40, deadline=None)
@given(some_coupons())
def test_no_stay_becomes_cheaper_by_lasting_longer(coupons: tuple[CouponTerms, ...]) -> None:
    circumstances = Circumstances(coupons=coupons)
    curve = price_curve(TABLE, ENTERED, ENTERED + timedelta(minutes=700), circumstances)
    assert all(before.total_minor < after.total_minor for before, after in pairwise(curve))
    for step in curve[1:]:
        before = price(TABLE, ENTERED, step.at - timedelta(seconds=1), circumstances)
        assert before.next_change_at == step.at


def test_every_coupon_is_explained_by_the_one_that_counts() -> None:
    coupons = (
        coupon(0, "amount", 400, group="spring"),
        coupon(1, "amount", 300, group="spring"),
        coupon(2, "percent", 50, choice="held"),
        coupon(3, "amount", 350, is_exclusive=True),
    )
    taken = best(coupons, 1000, lambda _: 1000)
    told = [(each.decision, each.amount_minor, each.because_of) for each in explain(coupons, taken)]
    assert told == [
        (Decision.APPLIED, 400, ""),
        (Decision.SAME_GROUP, 0, "c0"),
        (Decision.HELD_BACK, 0, ""),
        (Decision.EXCLUSIVE, 0, "c0"),
    ]
    [alone] = explain(coupons[:1], ())
    assert alone.decision is Decision.SAVES_NOTHING


def test_a_pin_counts_although_another_would_save_more() -> None:
    coupons = (coupon(0, "free"), coupon(1, "amount", 100, is_exclusive=True, choice="pinned"))
    assert lawful_combinations(coupons) == ((coupons[1],),)
    assert due_minor(coupons, 60) == 900


def test_a_share_comes_before_an_amount_and_its_fraction_is_the_drivers() -> None:
    taken = best((coupon(0, "amount", 100), coupon(1, "percent", 33)), 1001, lambda _: 1001)
    assert [(each.coupon.kind, each.amount_minor) for each in taken] == [
        ("percent", 331),
        ("amount", 100),
    ]

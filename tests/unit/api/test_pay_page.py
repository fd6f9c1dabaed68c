"""The QR page, state by state."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from api.pages.pay import render
from parking.flows.bills.live_bill import BillLine
from parking.flows.payments.checkout import PayPage, PayState
from parking.kit.money import Money

ENTERED_AT = datetime(2026, 3, 1, 16, 30, tzinfo=UTC)
ADDRESS = "https://sesame.test/pay/" + "A" * 64


def line(minutes: int) -> BillLine:
    return BillLine(
        reason="increment",
        amount_minor=500,
        running_total_minor=500,
        starts_at=ENTERED_AT + timedelta(minutes=minutes),
        ends_at=ENTERED_AT + timedelta(minutes=minutes + 30),
        note="day & night cap",
    )


PAGE = PayPage(
    place_name="Harbour <East>",
    timezone="Asia/Shanghai",
    plate_masked="京A•••31",
    entered_at=ENTERED_AT,
    lines=(line(0), line(30), BillLine("tea_time", 0, 1000)),
    total=Money(1000, "CNY"),
    paid=Money(0, "CNY"),
    due=Money(1000, "CNY"),
    as_of=ENTERED_AT + timedelta(minutes=50),
    prepaid_until=None,
    state=PayState.DUE,
    methods=("acquirer",),
    open_method="acquirer",
)


def test_times_are_the_places_own() -> None:
    html = render(PAGE, address=ADDRESS)
    assert "Entered 2026-03-02 00:30" in html
    assert "2026-03-02 01:00 to 01:30" in html


def test_everything_from_outside_is_escaped() -> None:
    html = render(PAGE, address=ADDRESS, notice="<b>")
    assert "Harbour &lt;East&gt;" in html
    assert "Parking (day &amp; night cap)" in html
    assert '<p class="alert" role="alert">&lt;b&gt;</p>' in html


def test_a_reason_that_is_new_is_shown_as_words() -> None:
    assert "<td>Tea time</td><td>0.00 CNY</td>" in render(PAGE, address=ADDRESS)


def test_a_long_bill_stays_small() -> None:
    page = replace(PAGE, lines=tuple(line(30 * n) for n in range(2000)))
    html = render(page, address=ADDRESS)
    assert "<tr><td>1960 more lines</td><td></td></tr>" in html
    assert len(html.encode()) < 30_000


@pytest.mark.parametrize(
    ("state", "shown", "payable"),
    [
        (PayState.DUE, "<button>Pay 10.00 CNY</button>", True),
        (PayState.IN_PROGRESS, "A payment is under way.", True),
        (PayState.PAID, "<strong>Nothing is due.</strong> You paid 0.00 CNY.</p>", False),
        (PayState.LEFT, "<strong>Goodbye.</strong>", False),
    ],
)
def test_states(state: PayState, shown: str, payable: bool) -> None:
    html = render(replace(PAGE, state=state), address=ADDRESS)
    assert shown in html
    assert ("<form" in html) is payable
    assert ("http-equiv" in html) is (state is PayState.IN_PROGRESS)

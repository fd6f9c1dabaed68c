"""When the books agree, and what counts as passed."""

from dataclasses import replace

import pytest

from sesame.demo.day_end import ComparedDay
from sesame.demo.director import Outcome, Round, agree
from sesame.demo.report import day_line, facts_line, money_line
from sesame.demo.scenarios.act import Act, ScenarioFailedError
from sesame.demo.witness import Books

EVEN = Books(
    receivable={},
    held={"alipay": {"CNY": 65}},
    captured={"alipay": {"CNY": 65}},
    between={},
    ledger_sum={"CNY": 0, "EUR": 0},
)
DAY = ComparedDay("alipay", "2026-11-23", 3, {}, 0)
PASSED = Outcome("frozen_gate", "Gate", True, 1.5, 6, {"refused": "expired", "paid": "1 EUR"}, None)


@pytest.mark.parametrize(
    "books",
    [
        replace(EVEN, receivable={"CNY": 1}),
        replace(EVEN, held={"alipay": {"CNY": 64}}),
        replace(EVEN, held={"wechat": {"CNY": 65}}),
        replace(EVEN, captured={"alipay": {"CNY": 65, "EUR": 1}}),
        replace(EVEN, ledger_sum={"CNY": 1}),
    ],
)
def test_one_minor_unit_off_is_seen(books: Books) -> None:
    assert agree(EVEN)
    assert not agree(books)


def test_round_counts_only_what_it_moved() -> None:
    held = {"alipay": {"CNY": 100}, "stripe": {"EUR": 7}}
    more = {"alipay": {"CNY": 165}, "stripe": {"EUR": 7}}
    before = Books({"CNY": 500}, held, held, {"EUR": 50}, {"CNY": 0})
    after = Books({"CNY": 500}, more, more, {"EUR": 50}, {"CNY": 0})
    grown = {"alipay": {"CNY": 65}}
    assert after.since(before) == Books({}, grown, grown, {}, {"CNY": 0})


def of_money(owed: int, held: int, captured: int) -> Books:
    return Books({"CNY": owed}, {"etc": {"CNY": held}}, {"etc": {"CNY": captured}}, {}, {"CNY": 0})


@pytest.mark.parametrize(
    ("before", "after", "moved"),
    [
        # A payment that the ledger hears of in this round; a refund that it hears of.
        (of_money(0, 0, 40), of_money(0, 40, 65), (0, 25)),
        (of_money(0, 100, 60), of_money(0, 60, 60), (0, 0)),
        # And a pass that nobody paid for, then and now.
        (of_money(50, 0, 0), of_money(50, 25, 25), (0, 25)),
    ],
)
def test_what_an_earlier_run_left_open_is_not_of_this_round(
    before: Books, after: Books, moved: tuple[int, int]
) -> None:
    found = after.since(before)
    assert agree(found)
    captured = found.captured.get("etc", {}).get("CNY", 0)
    assert (found.receivable.get("CNY", 0), captured) == moved


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # The round's own faults, beside what was open before or on top of it.
        (of_money(0, 0, 0), of_money(0, 0, 65)),
        (of_money(0, 0, 40), of_money(0, 0, 65)),
        (of_money(0, 0, 40), of_money(0, 105, 65)),
        (of_money(50, 0, 0), of_money(51, 25, 25)),
        (of_money(0, 10, 10), of_money(0, 11, 10)),
    ],
)
def test_what_this_round_leaves_open_is_seen_beside_it(before: Books, after: Books) -> None:
    assert not agree(after.since(before))


def test_round_passes_only_with_every_scenario_and_the_books() -> None:
    failed = replace(PASSED, passed=False, reason="no order rejected")
    assert Round((PASSED,), EVEN, (DAY,), 2.0).passed
    assert not Round((PASSED, failed), EVEN, (DAY,), 2.0).passed
    assert not Round((PASSED,), replace(EVEN, held={}), (DAY,), 2.0).passed


def test_round_passes_only_with_every_provider_compared() -> None:
    differs = replace(DAY, differences={"amount_differs": 1})
    assert not Round((PASSED,), EVEN, (DAY, differs), 2.0).passed


def test_lines_say_what_came_of_it() -> None:
    assert facts_line(PASSED) == "refused expired, paid 1 EUR"
    assert facts_line(replace(PASSED, reason="no order rejected")) == "no order rejected"
    assert money_line(EVEN) == "Alipay 0.65 CNY, as in the ledger\nstill owed: nothing"
    assert money_line(replace(EVEN, held={}, receivable={"EUR": 50})) == (
        "Alipay 0.65 CNY, but nothing in the ledger\nstill owed: 0.50 EUR"
    )
    assert day_line(DAY) == "Alipay 2026-11-23: 3 rows, all match"
    differs = replace(DAY, differences={"amount_differs": 1})
    assert day_line(differs) == "Alipay 2026-11-23: 3 rows, 1 amount_differs"
    older = replace(DAY, movements=1, earlier=2)
    assert day_line(older) == "Alipay 2026-11-23: 1 row, all match, 2 open from before this round"


def test_expectation_names_what_was_found_and_wanted() -> None:
    act = Act("bound_driver", lambda _name, _step: None)
    act.expect("pulses", 1, 1)
    with pytest.raises(ScenarioFailedError, match="pulses: expected 1, found 2"):
        act.expect("pulses", 2, 1)
    assert act.checks == 1

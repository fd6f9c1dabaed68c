"""What every payment stand-in shares: books, rules, notices in any order, and what control does."""

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from parking.kit.clock import ManualClock
from parking.kit.errors import InvalidInputError
from sesame.sandbox.platform import (
    ORDER,
    REFUND,
    NewAgreement,
    NewOrder,
    NotFoundError,
    NumberConflictError,
    Operation,
    PendingNotice,
    Platform,
    PlatformOptions,
    RenderedNotice,
    Rule,
    Scenario,
    Verdict,
    create_app,
    open_platform,
    settlement_lines,
    unpaid_checkout,
)
from sesame.sandbox.platform.store import NONCE_LIFETIME_MS

START = datetime(2026, 11, 27, 8, tzinfo=UTC)
CNY = "CNY"
# As the acquirer of before the others wrote its file.
FIRST_ACQUIRER = """
create table platform_key (position integer primary key, pem blob not null);
create table nonce (nonce text primary key, seen_ms integer not null);
create table agreement (
    reference text primary key, number text not null unique, parameters text not null,
    description text not null, return_url text not null, token text not null unique,
    status text not null, payer_hint text, created_ms integer not null,
    expires_ms integer not null, signed_ms integer, cancelled_ms integer, manner text not null);
create table orders (
    space text not null, number text not null, kind text, parent text, parameters text,
    amount_minor integer, currency text, description text, return_url text, token text unique,
    reference text, status text not null, guaranteed integer not null default 0,
    failure_code text, manner text not null, created_ms integer not null, settled_ms integer,
    due_ms integer, due_status text, due_failure_code text, primary key (space, number));
create table notice (
    serial integer primary key autoincrement, id text not null, body blob not null,
    manner text not null, due_ms integer, attempts integer not null default 0,
    last_status integer, delivered_ms integer);
insert into platform_key values (0, cast('first' as blob)), (1, cast('second' as blob));
insert into agreement values (
    'agr_1', 'A1', '{}', 'Parking', 'https://a.example/', 't', 'active', null, 1, 2, 1, null,
    'normal');
insert into orders (space, number, kind, amount_minor, currency, status, manner, created_ms)
    values ('order', 'C1', 'charge', 1250, 'CNY', 'succeeded', 'normal', 1);
insert into notice (id, body, manner, due_ms) values ('n', 'x', 'normal', 1);
"""


class PlainWire:
    """Says the kind and nothing else; takes every 200 for an answer."""

    def render(self, notice: PendingNotice) -> RenderedNotice:
        return RenderedNotice(headers={}, body=notice.kind.encode())

    def judge(self, status: int, body: bytes) -> Verdict:
        del body
        return Verdict.TAKEN if status == 200 else Verdict.AGAIN


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
def platform(tmp_path: Path, clock: ManualClock) -> Iterator[Platform]:
    opened = open_platform(_options(tmp_path), clock)
    yield opened
    opened.store.close()


def _options(folder: Path) -> PlatformOptions:
    return PlatformOptions(
        name="acquirer", data=folder / "books.sqlite", public_url="http://pay.example"
    )


def _active(platform: Platform) -> str:
    started = platform.agreements.start(
        NewAgreement(
            number="A1",
            parameters={"plate": "京A12345"},
            description="Parking",
            return_url="https://parkside.example/",
            extra={"plate": "京A12345"},
        )
    )
    platform.agreements.confirm(started["token"], extra={"obu": "OBU1"})
    return str(started["reference"])


def _order(number: str, agreement: str, amount_minor: int = 1000) -> NewOrder:
    return NewOrder(
        number=number,
        amount_minor=amount_minor,
        currency=CNY,
        parameters={"amount_minor": amount_minor},
        parent=agreement,
    )


def _charge(platform: Platform, number: str, agreement: str, rule: Rule | None = None) -> None:
    if rule:
        platform.script.add(rule)
    turn = platform.turn(Operation.CHARGE, agreement)
    platform.orders.charge(_order(number, agreement), turn.outcome)


def _told(platform: Platform) -> list[tuple[str, str]]:
    """Take every notice that is due now; returns what each was about."""
    told: list[tuple[str, str]] = []
    while due := platform.notices.due(limit=1, has_url=True):
        notice = due[0]
        platform.notices.tried(notice.serial, verdict=Verdict.TAKEN, again_ms=None, is_done=True)
        told.append((notice.kind, notice.subject["number"]))
    return told


class TestBooks:
    def test_what_only_a_wire_knows_stays_with_the_agreement(self, platform: Platform) -> None:
        reference = _active(platform)
        [found] = platform.agreements.where("plate", "京A12345")
        assert found["reference"] == reference
        assert found["extra"] == {"plate": "京A12345", "obu": "OBU1"}
        assert platform.agreements.where("plate", "京B99999") == []

    def test_one_number_is_one_order(self, platform: Platform) -> None:
        agreement = _active(platform)
        _charge(platform, "C1", agreement)
        _charge(platform, "C1", agreement)
        with pytest.raises(NumberConflictError):
            platform.orders.charge(
                _order("C1", agreement, 1001), platform.turn(Operation.CHARGE).outcome
            )
        assert len(platform.orders.children(ORDER, agreement)) == 1

    def test_a_transaction_inside_another_falls_with_it(self, platform: Platform) -> None:
        agreement = _active(platform)
        with pytest.raises(ZeroDivisionError), platform.store.transaction():
            _charge(platform, "C1", agreement)
            _ = 1 // 0
        with pytest.raises(NotFoundError):
            platform.orders.get(ORDER, "C1")

    def test_an_advance_is_repaid_once(self, platform: Platform) -> None:
        agreement = _active(platform)
        _charge(platform, "C1", agreement, Rule(scenario=Scenario.ADVANCE))
        assert platform.orders.get(ORDER, "C1")["extra"]["advance"] == "outstanding"
        _told(platform)
        platform.orders.repay("C1")
        platform.orders.repay("C1")
        assert _told(platform) == [("payer.repaid", "C1")]
        with pytest.raises(NotFoundError):
            platform.orders.repay("C2")

    def test_a_nonce_is_good_once_within_the_window(
        self, platform: Platform, clock: ManualClock
    ) -> None:
        assert platform.store.remember_nonce("n", platform.now_ms())
        assert not platform.store.remember_nonce("n", platform.now_ms())
        clock.advance(timedelta(milliseconds=NONCE_LIFETIME_MS + 1))
        assert platform.store.remember_nonce("n", platform.now_ms())

    def test_a_secret_outlives_the_process(
        self, platform: Platform, tmp_path: Path, clock: ManualClock
    ) -> None:
        first = platform.store.secret("key", lambda: b"made once")
        again = open_platform(_options(tmp_path), clock)
        assert again.store.secret("key", lambda: b"made twice") == first == b"made once"
        again.store.close()

    def test_a_file_of_another_version_is_refused(self, tmp_path: Path, clock: ManualClock) -> None:
        with sqlite3.connect(tmp_path / "books.sqlite") as older:
            older.execute("create table orders (number text)")
        with pytest.raises(InvalidInputError, match="another version"):
            open_platform(_options(tmp_path), clock)

    def test_a_file_of_another_platform_is_refused(
        self, platform: Platform, tmp_path: Path, clock: ManualClock
    ) -> None:
        del platform
        with pytest.raises(InvalidInputError, match=r"^--data: expected a file of its own: .*acq"):
            open_platform(replace(_options(tmp_path), name="wechat"), clock)

    def test_a_file_that_is_none_is_refused(self, tmp_path: Path, clock: ManualClock) -> None:
        (tmp_path / "books.sqlite").write_text("export SESAME_ALIPAY_APP_ID=1\n" * 40)
        with pytest.raises(InvalidInputError, match=r"^--data: .*not a database"):
            open_platform(_options(tmp_path), clock)

    def test_a_file_of_the_first_acquirer_goes_on(self, tmp_path: Path, clock: ManualClock) -> None:
        with sqlite3.connect(tmp_path / "books.sqlite") as older:
            older.executescript(FIRST_ACQUIRER)
        platform = open_platform(_options(tmp_path), clock)
        assert platform.store.secret("platform_key_1", lambda: b"new") == b"second"
        order = platform.orders.get(ORDER, "C1")
        assert (order["status"], order["amount_minor"], order["extra"]) == ("succeeded", 1250, {})
        assert platform.agreements.by_number("A1")["status"] == "active"
        assert _told(platform) == []
        platform.store.close()


class TestNotices:
    def test_a_later_notice_overtakes_one_that_is_held(self, platform: Platform) -> None:
        agreement = _active(platform)
        _charge(platform, "C1", agreement, Rule(scenario=Scenario.REORDERED_NOTICE))
        _charge(platform, "C2", agreement)
        assert _told(platform) == [
            ("agreement.signed", "A1"),
            ("charge.succeeded", "C2"),
            ("charge.succeeded", "C1"),
        ]

    def test_what_nothing_overtakes_comes_in_the_end(
        self, platform: Platform, clock: ManualClock
    ) -> None:
        agreement = _active(platform)
        _told(platform)
        _charge(platform, "C1", agreement, Rule(scenario=Scenario.REORDERED_NOTICE))
        assert _told(platform) == []
        clock.advance(timedelta(seconds=2))
        assert _told(platform) == [("charge.succeeded", "C1")]

    @pytest.mark.parametrize(
        ("scenario", "manners"),
        [
            (Scenario.NO_NOTICE, []),
            (Scenario.DUPLICATE_NOTICE, ["normal", "normal"]),
            (Scenario.BAD_SIGNATURE_PROBE, ["probe", "normal"]),
            (Scenario.STALE_NOTICE, ["stale"]),
        ],
    )
    def test_each_manner_of_delivery(
        self, platform: Platform, scenario: Scenario, manners: list[str]
    ) -> None:
        agreement = _active(platform)
        _told(platform)
        _charge(platform, "C1", agreement, Rule(scenario=scenario))
        due = platform.notices.due(limit=10, has_url=True)
        assert [notice.manner for notice in due] == manners
        assert len({notice.id for notice in due}) <= 1
        assert [notice.age_s for notice in due if notice.manner == "stale"] in ([], [600])

    def test_an_order_may_say_where_its_notice_goes(self, platform: Platform) -> None:
        agreement = _active(platform)
        order = NewOrder(
            number="C1",
            amount_minor=1,
            currency=CNY,
            parameters={},
            parent=agreement,
            extra={"notice_url": "https://api.parkside.example/callbacks/x"},
        )
        platform.orders.charge(order, platform.turn(Operation.CHARGE).outcome)
        [notice] = platform.notices.due(limit=10, has_url=False)
        assert notice.url == "https://api.parkside.example/callbacks/x"


class TestSettlement:
    def test_a_day_has_every_movement_and_differs_on_demand(
        self, platform: Platform, clock: ManualClock
    ) -> None:
        agreement = _active(platform)
        _charge(platform, "C1", agreement)
        _charge(platform, "C2", agreement, Rule(scenario=Scenario.DECLINE))
        clock.advance(timedelta(seconds=1))
        refund = _order("R1", "C1", 250)
        platform.orders.refund(refund, platform.turn(Operation.REFUND).outcome)
        clock.advance(timedelta(seconds=1))
        platform.chargebacks.open("C1", reason="fraudulent", amount_minor=5000)
        platform.chargebacks.resolve("C1", is_won=True)
        start, end = int(START.timestamp() * 1000), platform.now_ms() + 1

        def shown(*scenarios: Scenario) -> list[tuple[str, int, int]]:
            lines = settlement_lines(
                platform.store,
                start,
                end,
                differences=frozenset(scenarios),
                fee_basis_points=60,
            )
            return [(line.kind, line.amount_minor, line.fee_minor) for line in lines]

        right = [
            ("charge", 1000, 6),
            ("refund", 250, 0),
            ("chargeback", 1000, 0),
            ("chargeback_reversed", 1000, 0),
        ]
        assert shown() == right
        assert shown(Scenario.SETTLEMENT_MISSING_ROW) == right[1:]
        assert shown(Scenario.SETTLEMENT_OTHER_AMOUNT) == [("charge", 1001, 6), *right[1:]]
        assert shown(Scenario.SETTLEMENT_EXTRA_ROW) == [*right, ("charge", 100, 0)]
        assert settlement_lines(platform.store, end, end + 1) == []


@pytest.fixture
def app(platform: Platform) -> Starlette:
    return create_app(platform, PlainWire(), routes=[])


def _client(app: Starlette, address: str = "127.0.0.1") -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, client=(address, 4711))
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1")


class TestControl:
    async def test_a_chargeback_is_opened_and_decided(
        self, platform: Platform, app: Starlette
    ) -> None:
        _charge(platform, "C1", _active(platform))
        async with _client(app) as client:
            wish = {"chargeback": {"number": "C1", "reason": "fraudulent"}}
            assert (await client.post("/_control", json=wish)).status_code == 200
            opened = (await client.get("/_books")).json()
            won = {"chargeback": {"number": "C1", "decision": "won"}}
            assert (await client.post("/_control", json=won)).status_code == 200
            decided = (await client.get("/_books")).json()
        assert opened["sums"][CNY]["charged_back_minor"] == 1000
        assert opened["sums"][CNY]["balance_minor"] == 0
        assert [row["status"] for row in decided["chargebacks"]] == ["won"]
        assert decided["sums"][CNY]["balance_minor"] == 1000

    @pytest.mark.parametrize(
        ("wish", "status"),
        [
            ({"chargeback": {"number": "nobody"}}, 404),
            ({"repay": {"number": "nobody"}}, 404),
            ({"cancel_agreement": {"reference": "nobody"}}, 404),
            ({"chargeback": {}}, 400),
            ({"repay": {"number": "x"}, "clear": True}, 400),
            ({"scenario": "settlement_missing_row"}, 400),
            ({"scenario": "explode"}, 400),
            ({"platform_key": 1}, 400),
            ({"ahead_s": -1}, 400),
            ([], 400),
        ],
    )
    async def test_what_makes_no_sense_is_refused(
        self, app: Starlette, wish: object, status: int
    ) -> None:
        async with _client(app) as client:
            answer = await client.post("/_control", json=wish)
            assert answer.status_code == status
            assert (await client.post("/_control", json={})).json() == {"rules": []}

    async def test_a_page_says_whom_it_stands_in_for(
        self, platform: Platform, app: Starlette
    ) -> None:
        platform.title = "Coin & Co"
        row = platform.orders.checkout(_order("P1", _active(platform)), unpaid_checkout("normal"))
        async with _client(app) as client:
            shown = (await client.get(f"/pay/{row['token']}")).text
        assert "<button>Pay 10.00 CNY</button>" in shown
        assert "A stand-in for Coin &amp; Co. No real money moves." in shown

    async def test_the_clock_goes_ahead_until_it_is_cleared(
        self, platform: Platform, app: Starlette
    ) -> None:
        before = platform.clock.now()
        async with _client(app) as client:
            assert (await client.post("/_control", json={"ahead_s": 86_400})).status_code == 200
            assert platform.clock.now() == before + timedelta(days=1)
            assert (await client.post("/_control", json={"clear": True})).status_code == 200
        assert platform.clock.now() == before

    async def test_nobody_else_controls_it(self, platform: Platform, app: Starlette) -> None:
        async with _client(app, "203.0.113.7") as client:
            wish = {"scenario": "decline", "matching": "always"}
            assert (await client.post("/_control", json=wish)).status_code == 403
            assert (await client.get("/_books")).status_code == 403
        # A page of another site, in a browser on this machine; and a tunnel from elsewhere.
        for foreign in ({"origin": "https://evil.example"}, {"host": "stand-in.example"}):
            async with _client(app) as client:
                answer = await client.post("/_control", json=wish, headers=foreign)
                assert answer.json() == {"code": "loopback_only"}
                assert (await client.get("/_books", headers=foreign)).status_code == 403
        assert platform.script.rules() == []

    async def test_a_failing_refund_gives_nothing_back(self, platform: Platform) -> None:
        _charge(platform, "C1", _active(platform))
        platform.script.add(
            Rule(scenario=Scenario.DECLINE, operation=Operation.REFUND, failure_code="no_funds")
        )
        turn = platform.turn(Operation.REFUND)
        row = platform.orders.refund(_order("R1", "C1", 250), turn.outcome)
        assert (row["status"], row["failure_code"]) == ("failed", "no_funds")
        assert platform.orders.get(REFUND, "R1")["status"] == "failed"

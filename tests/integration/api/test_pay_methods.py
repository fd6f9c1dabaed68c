"""Paying behind the exit code with a provider of one's choice: one open page at a time."""

import asyncio
import re

import pytest

from parking.flows.pay_link import pay_token
from parking.flows.payments import checkout, settlement
from parking.kit.money import Money
from parking.payments.errors import (
    NothingDueError,
    PaymentInProgressError,
    PaymentUnavailableError,
)
from parking.payments.fake import FakeProvider
from parking.payments.port import (
    ChargeResult,
    Checkout,
    CheckoutOrder,
    OrderStatus,
    SentOrder,
)
from tests.factories.api import ApiWorld
from tests.factories.lane_world import PLATE, read_of
from tests.factories.providers import add_provider

WECHAT = "Mozilla/5.0 (Linux; Android 14) MicroMessenger/8.0.50 Language/zh_CN"
ALIPAY = "Mozilla/5.0 (iPhone) AliApp(AP/10.6.0) AlipayClient/10.6.0"


class Exit:
    """A stranger's car at the exit, and three ways to pay for it."""

    def __init__(self, api: ApiWorld) -> None:
        self.api, self.lanes = api, api.lanes
        self.wechat = add_provider(api.lanes, "wechat")
        self.alipay = add_provider(api.lanes, "alipay")
        add_provider(api.lanes, "etc", has_checkout=False)
        add_provider(api.lanes, "stripe", currencies=frozenset({"EUR"}))
        self.path = self.token = ""

    @property
    def providers(self) -> list[FakeProvider]:
        return [self.lanes.provider, self.wechat, self.alipay]

    async def arrive(self) -> None:
        session_id = await self.lanes.drive_in()
        self.lanes.wait(minutes=45)
        presentation_id = await self.lanes.arrive(self.lanes.exit)
        await self.lanes.decide(self.lanes.exit, presentation_id, read_of(PLATE))
        operator_id = self.lanes.exit.operator_id
        self.token = pay_token(self.lanes.context.vault, operator_id, session_id)
        self.path = f"/pay/{self.token}"

    async def page(self, agent: str = "") -> str:
        return (await self.api.http.get(self.path, headers={"user-agent": agent})).text

    async def choose(self, method: str) -> str:
        """Press a button; returns where it leads."""
        answer = await self.api.http.post(self.path, data={"provider": method})
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    async def attempts(self) -> list[tuple[str, str, str | None]]:
        rows = await self.lanes.rows(
            "SELECT provider, state, failure_code FROM payment_attempts ORDER BY sent_at, id"
        )
        return [(row["provider"], row["state"], row["failure_code"]) for row in rows]

    async def number(self, provider: str) -> str:
        [row] = await self.lanes.rows(
            "SELECT number FROM payment_attempts WHERE provider = :p AND state <> 'failed'",
            p=provider,
        )
        number: str = row["number"]
        return number

    def captured(self) -> int:
        return sum(provider.captured("CNY") for provider in self.providers)


@pytest.fixture
async def at_exit(api: ApiWorld) -> Exit:
    stage = Exit(api)
    await stage.arrive()
    return stage


def buttons(html: str) -> list[str]:
    return re.findall(r"<button[^>]*>([^<]*)</button>", html)


@pytest.mark.parametrize(
    ("agent", "first"),
    [("", "fake"), (WECHAT, "WeChat Pay"), (ALIPAY, "Alipay"), ("MicroMessenger<", "WeChat Pay")],
)
async def test_the_app_that_scanned_the_code_comes_first(
    at_exit: Exit, agent: str, first: str
) -> None:
    shown = buttons(await at_exit.page(agent))
    assert shown[0] == f"Pay 10.00 CNY with {first}"
    assert sorted(shown) == [
        f"Pay 10.00 CNY with {name}" for name in ("Alipay", "WeChat Pay", "fake")
    ]


async def test_another_method_only_after_the_open_page_is_closed(at_exit: Exit) -> None:
    urls = [await at_exit.choose(method) for method in ("wechat", "wechat", "alipay")]
    assert urls[0] == urls[1] != urls[2]
    assert sorted(await at_exit.attempts()) == [
        ("alipay", "sent", None),
        ("wechat", "failed", "closed"),
    ]
    numbers = await at_exit.lanes.rows("SELECT DISTINCT number FROM payment_attempts")
    assert len(numbers) == 2
    assert buttons(await at_exit.page(WECHAT)) == [
        "Back to the payment page",
        "Pay with WeChat Pay instead",
        "Pay with fake instead",
    ]
    assert await at_exit.choose("") == urls[2]
    assert at_exit.alipay.pay(await at_exit.number("alipay"))
    at_exit.lanes.wait(minutes=1)
    await settlement.sweep(at_exit.lanes.context)
    assert at_exit.captured() == 1000
    assert "<strong>Nothing is due.</strong>" in await at_exit.page()


async def test_a_page_that_was_paid_is_not_left_for_another(at_exit: Exit) -> None:
    await at_exit.choose("wechat")
    assert at_exit.wechat.pay(await at_exit.number("wechat"))
    # No notice came; the switch finds out by itself.
    assert await at_exit.choose("alipay") == at_exit.path
    assert await at_exit.attempts() == [("wechat", "succeeded", None)]
    assert at_exit.captured() == 1000
    [bill] = await at_exit.lanes.rows("SELECT state FROM bills")
    assert bill["state"] == "paid"


async def test_a_page_that_does_not_close_keeps_its_place(
    at_exit: Exit, monkeypatch: pytest.MonkeyPatch
) -> None:
    await at_exit.choose("wechat")

    async def silent(order: SentOrder) -> ChargeResult:
        return ChargeResult(number=order.number, status=OrderStatus.UNKNOWN)

    with monkeypatch.context() as patched:
        patched.setattr(at_exit.wechat, "close", silent)
        refused = await at_exit.api.http.post(at_exit.path, data={"provider": "alipay"})
        with pytest.raises(PaymentInProgressError):
            await checkout.start(at_exit.lanes.context, at_exit.token, "alipay")
    assert refused.status_code == 409
    assert "cannot be taken back yet. Please finish it, or choose" in refused.text
    assert "Back to the payment page" in buttons(refused.text)
    assert [one[:2] for one in await at_exit.attempts()] == [("wechat", "unknown")]
    # A process without it cannot close it either.
    known = at_exit.lanes.context.providers
    monkeypatch.delitem(known, "wechat")  # pyright: ignore[reportArgumentType]
    with pytest.raises(PaymentInProgressError):
        await checkout.start(at_exit.lanes.context, at_exit.token, "alipay")


async def test_a_page_that_was_closed_before_it_was_asked_for_gives_way(
    at_exit: Exit, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, start = at_exit.lanes.context, at_exit.wechat.start_checkout

    async def overtaken(order: CheckoutOrder) -> Checkout:
        [row] = await at_exit.lanes.rows("SELECT operator_id, id FROM payment_attempts")
        await settlement.close(context, row["operator_id"], row["id"])
        return await start(order)

    monkeypatch.setattr(at_exit.wechat, "start_checkout", overtaken)
    with pytest.raises(PaymentInProgressError):
        await checkout.start(context, at_exit.token, "wechat")
    assert await at_exit.attempts() == [("wechat", "failed", "closed")]


@pytest.mark.parametrize("method", ["etc", "stripe", "nobody", "<script>", "a" * 5000])
async def test_what_is_no_way_to_pay_here_changes_nothing(at_exit: Exit, method: str) -> None:
    assert await at_exit.choose(method) == at_exit.path
    assert await at_exit.attempts() == []
    many = "&".join(f"a{number}=1" for number in range(50))
    for content in (b"\xff\xfe", many.encode(), b"provider=etc&provider=wechat"):
        answer = await at_exit.api.http.post(at_exit.path, content=content)
        assert answer.status_code == 303
    assert {provider for provider, _, _ in await at_exit.attempts()} <= {"fake"}


@pytest.mark.parametrize("turn", range(4))
async def test_choices_at_the_same_moment_leave_one_open_page(at_exit: Exit, turn: int) -> None:
    del turn
    methods = ["wechat", "alipay", "fake", "wechat", "alipay"]
    outcomes = await asyncio.gather(
        *(checkout.start(at_exit.lanes.context, at_exit.token, method) for method in methods),
        return_exceptions=True,
    )
    refused = [one for one in outcomes if isinstance(one, Exception)]
    # A provider that has closed an order for another request refuses it to this one, before our
    # own rows say who closed it: both are told to choose again.
    told = (PaymentInProgressError, PaymentUnavailableError)
    assert all(isinstance(one, told) for one in refused), refused
    live = [one for one in await at_exit.attempts() if one[1] != "failed"]
    assert len(live) <= 1
    # Whatever page somebody still has on a screen, at most one of them takes money.
    for provider in at_exit.providers:
        for row in await at_exit.lanes.rows(
            "SELECT number FROM payment_attempts WHERE provider = :p", p=provider.name
        ):
            asked = await provider.query(
                SentOrder(
                    number=row["number"],
                    amount=Money(1000, "CNY"),
                    is_checkout=True,
                    sent_at=at_exit.lanes.clock.now(),
                )
            )
            if asked.status is OrderStatus.ACCEPTED:
                provider.pay(row["number"])
    assert at_exit.captured() <= 1000


@pytest.mark.parametrize("turn", range(4))
async def test_paying_while_switching_pays_once(at_exit: Exit, turn: int) -> None:
    del turn
    await at_exit.choose("wechat")
    number = await at_exit.number("wechat")

    async def pay() -> None:
        await asyncio.sleep(0)
        at_exit.wechat.pay(number)

    switched, _ = await asyncio.gather(
        checkout.start(at_exit.lanes.context, at_exit.token, "alipay"),
        pay(),
        return_exceptions=True,
    )
    if at_exit.wechat.captured("CNY"):
        assert isinstance(switched, NothingDueError)
        assert [one[:2] for one in await at_exit.attempts()] == [("wechat", "succeeded")]
    else:
        assert isinstance(switched, str)
        assert at_exit.alipay.pay(await at_exit.number("alipay"))
    at_exit.lanes.wait(minutes=1)
    await settlement.sweep(at_exit.lanes.context)
    assert at_exit.captured() == 1000
    balances = await at_exit.lanes.balances()
    assert sum(balances.values()) == 0


async def test_a_page_that_was_closed_while_it_opened_is_shown_to_nobody(
    at_exit: Exit, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = at_exit.wechat.start_checkout

    async def slow(order: CheckoutOrder) -> Checkout:
        page = await opened(order)
        # Somebody else at the same bill chooses another way meanwhile.
        await checkout.start(at_exit.lanes.context, at_exit.token, "alipay")
        return page

    monkeypatch.setattr(at_exit.wechat, "start_checkout", slow)
    with pytest.raises(PaymentInProgressError):
        await checkout.start(at_exit.lanes.context, at_exit.token, "wechat")
    assert sorted(await at_exit.attempts()) == [
        ("alipay", "sent", None),
        ("wechat", "failed", "closed"),
    ]

"""Stripe's signatures against the openssl command line, its amounts, and the way out."""

import shutil
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import stripe

from parking.kit.errors import InvalidInputError
from parking.kit.money import Money
from parking.payments.providers.stripe import StripeSettings
from parking.payments.providers.stripe.amounts import from_stripe, to_stripe
from parking.payments.providers.stripe.signature import SignatureRefusedError, check
from parking.payments.providers.stripe.transport import ANSWER_BYTES_MAX, BoundedClient
from sesame.providers.stripe import stripe_provider
from sesame.sandbox.stripe.notices import sign
from sesame.settings import Settings

NOW = datetime(2026, 11, 27, 16, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
BODY = '{"id": "evt_1", "note": "停车"}\n'.encode()
SECRET, OLD_SECRET = "whsec_new", "whsec_old"


def openssl_hmac(secret: str, body: bytes, seconds: int = SECONDS) -> str:
    """Sign as the documented scheme says, by a program that knows nothing of ours."""
    program = shutil.which("openssl")
    assert program is not None
    answer = subprocess.run(
        [program, "dgst", "-sha256", "-hmac", secret, "-r"],
        input=f"{seconds}.".encode() + body,
        capture_output=True,
        check=True,
    )
    return answer.stdout.split()[0].decode()


class TestSignature:
    def test_what_openssl_signs_is_believed(self) -> None:
        header = f"t={SECONDS},v1={openssl_hmac(SECRET, BODY)},v0={'0' * 64}"
        check(header, BODY, (SECRET,), NOW)

    def test_the_stand_in_signs_as_openssl_does(self) -> None:
        header = sign((SECRET, OLD_SECRET), SECONDS, BODY)
        parts = [part.partition("=") for part in header.split(",")]
        assert [(name, value) for name, _, value in parts if name != "v0"] == [
            ("t", str(SECONDS)),
            ("v1", openssl_hmac(SECRET, BODY)),
            ("v1", openssl_hmac(OLD_SECRET, BODY)),
        ]

    def test_the_library_agrees(self) -> None:
        header = f"t={SECONDS},v1={openssl_hmac(SECRET, BODY)}"
        # The library's own clock is not ours: any age will do here.
        library: Any = stripe.WebhookSignature
        assert library.verify_header(BODY, header, SECRET, tolerance=None)

    @pytest.mark.parametrize(
        "secrets", [(SECRET,), (OLD_SECRET,), (OLD_SECRET, SECRET), ("whsec_third", SECRET)]
    )
    def test_while_a_secret_is_replaced_either_is_enough(self, secrets: tuple[str, ...]) -> None:
        both = f"v1={openssl_hmac(OLD_SECRET, BODY)},v1={openssl_hmac(SECRET, BODY)}"
        check(f"t={SECONDS},{both}", BODY, secrets, NOW)

    @pytest.mark.parametrize("seconds", [300, -300])
    def test_the_window_is_five_minutes_both_ways(self, seconds: int) -> None:
        header = f"t={SECONDS},v1={openssl_hmac(SECRET, BODY)}"
        check(header, BODY, (SECRET,), NOW + timedelta(seconds=seconds))
        later = NOW + timedelta(seconds=seconds + (1 if seconds > 0 else -1))
        with pytest.raises(SignatureRefusedError, match=r"^timestamp$"):
            check(header, BODY, (SECRET,), later)

    @pytest.mark.parametrize(
        ("header", "reason"),
        [
            ("", "header"),
            ("v1=" + "0" * 64, "header"),
            (f"t={SECONDS}", "key"),
            (f"t={SECONDS},v0=GENUINE", "key"),
            (f"t={SECONDS},t={SECONDS},v1=GENUINE", "header"),
            ("t=soon,v1=GENUINE", "header"),
            ("t=-1,v1=GENUINE", "header"),
            (f"t={SECONDS + 1},v1=GENUINE", "signature"),
            (f"t=0{SECONDS},v1=GENUINE", "signature"),
            (f"t={SECONDS},v1=", "signature"),
            (f"t={SECONDS},v1=GENUINEx", "signature"),
            (f"t={SECONDS},v1=ä", "header"),
            (f"t={SECONDS}" + ",v1=GENUINE" * 17, "header"),
            (f"t={SECONDS},v1=" + "0" * 3000, "header"),
        ],
    )
    def test_everything_else_is_refused(self, header: str, reason: str) -> None:
        genuine = openssl_hmac(SECRET, BODY)
        with pytest.raises(SignatureRefusedError) as caught:
            check(header.replace("GENUINE", genuine), BODY, (SECRET,), NOW)
        assert caught.value.reason == reason

    def test_another_body_is_refused(self) -> None:
        header = f"t={SECONDS},v1={openssl_hmac(SECRET, BODY)}"
        for body in (BODY + b" ", BODY[:-1], b""):
            with pytest.raises(SignatureRefusedError, match=r"^signature$"):
                check(header, body, (SECRET,), NOW)


class TestAmounts:
    @pytest.mark.parametrize(
        ("amount", "value"),
        [
            (Money(1250, "EUR"), 1250),
            (Money(500, "JPY"), 500),
            (Money(5, "ISK"), 500),
            (Money(5120, "KWD"), 5120),
            (Money(5124, "KWD"), None),
            (Money(512, "JOD"), 5120),
            (Money(300, "UGX"), 300),
            (Money(350, "UGX"), None),
            (Money(1200, "XAF"), 12),
            (Money(1250, "XAF"), None),
        ],
    )
    def test_are_said_in_stripes_units_or_not_at_all(
        self, amount: Money, value: int | None
    ) -> None:
        assert to_stripe(amount) == value
        if value is not None:
            assert from_stripe(value, amount.currency.lower()) == amount

    def test_what_our_units_cannot_say_is_none(self) -> None:
        assert from_stripe(550, "isk") is None


class TestWayOut:
    async def test_tells_nothing_of_this_machine(self) -> None:
        heard: list[httpx.Request] = []

        def answer(request: httpx.Request) -> httpx.Response:
            heard.append(request)
            return httpx.Response(200, json={}, headers={"Stripe-Notice": "upgrade"})

        client = BoundedClient()
        await client.close_async()
        client._client = httpx.AsyncClient(transport=httpx.MockTransport(answer))  # pyright: ignore[reportPrivateUsage]
        sent: Mapping[str, str] = {
            "X-Stripe-Client-User-Agent": "{}",
            "X-Stripe-Client-Telemetry": "{}",
            "User-Agent": "Stripe/v1 AIAgent/x",
            "Authorization": "Bearer sk_test_1",
        }
        _, status, headers = await client.request_async("get", "https://api.stripe.com/", sent)
        await client.close_async()

        [request] = heard
        assert not [name for name in request.headers if name.startswith("x-stripe")]
        assert request.headers["user-agent"] == f"Stripe/v1 PythonBindings/{stripe.VERSION}"
        assert (status, "stripe-notice" in headers) == (200, False)
        assert stripe.enable_telemetry is False

    async def test_reads_no_endless_answer(self) -> None:
        client = BoundedClient()
        await client.close_async()
        endless = httpx.Response(200, content=b"x" * (ANSWER_BYTES_MAX + 1))
        transport = httpx.MockTransport(lambda _request: endless)
        client._client = httpx.AsyncClient(transport=transport)  # pyright: ignore[reportPrivateUsage]
        with pytest.raises(stripe.APIConnectionError, match="too long"):
            await client.request_async("get", "https://api.stripe.com/", {})
        await client.close_async()


class TestSettings:
    @pytest.mark.parametrize(
        ("given", "variable"),
        [
            ({"stripe_secret_key": "sk_test_1"}, "SESAME_STRIPE_WEBHOOK_SECRETS"),
            ({"stripe_webhook_secrets": "whsec_1"}, "SESAME_STRIPE_SECRET_KEY"),
            ({"stripe_account": "acct_1"}, "SESAME_STRIPE_SECRET_KEY"),
            (
                {"stripe_secret_key": "pk_test_1", "stripe_webhook_secrets": "whsec_1"},
                "SESAME_STRIPE_SECRET_KEY",
            ),
            (
                {"stripe_secret_key": "sk_test_1", "stripe_webhook_secrets": "1,2"},
                "SESAME_STRIPE_WEBHOOK_SECRETS",
            ),
            (
                {
                    "stripe_secret_key": "sk_test_1",
                    "stripe_webhook_secrets": "whsec_1",
                    "stripe_url": "http://stripe.example",
                },
                "SESAME_STRIPE_URL",
            ),
        ],
    )
    def test_name_the_variable_and_not_its_value(
        self, given: dict[str, str], variable: str
    ) -> None:
        with pytest.raises(InvalidInputError) as caught:
            stripe_provider(Settings(**given), clock=_Still())
        assert caught.value.field == variable
        assert not any(value in str(caught.value) for value in given.values())

    async def test_none_is_no_provider_and_both_are_one(self) -> None:
        assert stripe_provider(Settings(), clock=_Still()) is None
        both = {"stripe_secret_key": "sk_test_1", "stripe_webhook_secrets": "whsec_1, whsec_2"}
        provider = stripe_provider(Settings(**both), clock=_Still())
        assert provider is not None
        assert provider.name == "stripe"
        await provider.aclose()

    def test_keys_are_never_printed(self) -> None:
        shown = repr(StripeSettings(secret_key="sk_live_1", webhook_secrets=("whsec_1",)))
        assert "sk_live" not in shown
        assert "whsec" not in shown


class _Still:
    def now(self) -> datetime:
        return NOW

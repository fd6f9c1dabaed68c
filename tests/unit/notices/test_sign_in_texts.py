"""What a driver is told of another sign-in: which device, when, and what to do about a stranger."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from notifications.messages import push_message
from parking.drivers.deliveries import PendingDelivery
from parking.drivers.events import driver_signed_in
from parking.drivers.models import SignIn, TargetKind
from parking.events.envelope import Event
from parking.flows.notices.tellings import arguments_of, template_of
from parking.flows.notices.wording import render
from parking.notices.rules import RULES, NoticeCategory, Template

AT = datetime(2026, 3, 2, 0, 5, tzinfo=UTC)
DRIVER, SIGN_IN = UUID(int=1), UUID(int=2)


def signed_in(device_name: str = "Ada's phone", *, is_first: bool = False) -> Event:
    row = SignIn(
        driver_id=DRIVER,
        id=SIGN_IN,
        refresh_digest=b"",
        device_name=device_name,
        created_at=AT,
        authenticated_at=AT,
        refreshed_at=AT,
        expires_at=AT + timedelta(days=60),
    )
    return driver_signed_in(row, is_first=is_first)


def test_an_accounts_first_sign_in_is_told_to_nobody() -> None:
    assert template_of(signed_in(is_first=True)) is None
    assert template_of(signed_in()) is Template.SIGNED_IN


def test_it_is_a_matter_of_security_that_does_not_wait_for_the_morning() -> None:
    rule = RULES[Template.SIGNED_IN]
    assert (rule.category, rule.is_urgent) == (NoticeCategory.SECURITY, True)
    assert rule.stale_after is None


@pytest.mark.parametrize(
    ("locale", "title", "body"),
    [
        (
            "en",
            "New sign-in to your account",
            (
                "“Ada's phone” signed in, 2 Mar 2026 00:05 UTC. Not you? Open the app, end that "
                "sign-in and all the others."
            ),
        ),
        (
            "de",
            "Neue Anmeldung bei Ihrem Konto",
            (
                "„Ada's phone“ ist angemeldet, 02.03.2026 00:05 UTC. Waren Sie das nicht? "
                "Beenden Sie in der App diese Anmeldung und alle anderen."
            ),
        ),
        (
            "zh",
            "您的账户有新的登录",
            (
                "“Ada's phone”已登录，时间 2026年3月2日 00:05（UTC）。"  # noqa: RUF001
                "如非本人操作，请在应用中结束该登录及其他所有登录。"  # noqa: RUF001
            ),
        ),
    ],
)
def test_it_says_which_device_when_and_what_to_do(locale: str, title: str, body: str) -> None:
    event = signed_in()
    assert arguments_of(event) == {"device_name": "Ada's phone"}
    text = render(Template.SIGNED_IN, arguments_of(event), event.occurred_at, locale)
    assert (text.title, text.body) == (title, body)


def test_a_device_without_a_name_is_called_so() -> None:
    event = signed_in("")
    text = render(Template.SIGNED_IN, arguments_of(event), event.occurred_at, "en")
    assert text.body.startswith("“an unnamed device” signed in")


def test_the_push_names_the_sign_in_that_the_app_can_end() -> None:
    event = signed_in()
    text = render(Template.SIGNED_IN, arguments_of(event), event.occurred_at, "en")
    pending = PendingDelivery(UUID(int=3), UUID(int=4), TargetKind.FID, "target", None, 0)
    message = push_message(pending, Template.SIGNED_IN, event, text)
    assert message.data["sign_in_id"] == str(SIGN_IN)
    assert "session_id" not in message.data
    assert message.collapse_key == f"security:{SIGN_IN}"

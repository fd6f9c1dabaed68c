"""Phone numbers, client addresses and limits."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from parking.drivers import rules
from parking.drivers.errors import SignInCodeExpiredError
from parking.drivers.models import SignInCode
from parking.kit.errors import InvalidInputError

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        ("+86 138 0013 8000", "+8613800138000"),
        ("+49 (0)151 1234 5678", "+4915112345678"),
        ("+1-650-253-0000", "+16502530000"),
    ],
)
def test_one_spelling_of_a_number(typed: str, number: str) -> None:
    assert rules.normalise_phone(typed) == number


@pytest.mark.parametrize("typed", ["", "13800138000", "+49", "+999123456789", "x" * 33, "+1650"])
def test_what_is_no_number(typed: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        rules.normalise_phone(typed)
    assert refused.value.field == "phone_number"


@pytest.mark.parametrize(
    ("address", "group"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("testclient", "unknown"),
    ],
)
def test_whom_an_address_is_counted_with(address: str, group: str) -> None:
    assert rules.address_group(address) == group


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.7", None),
        ("::ffff:203.0.113.7", None),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
        ("testclient", None),
    ],
)
def test_the_network_that_is_counted_besides(address: str, network: str | None) -> None:
    assert rules.address_network(address) == network


@pytest.mark.parametrize(
    ("attempts", "used_at", "at", "usable"),
    [
        (0, None, NOW, True),
        (4, None, NOW, True),
        (5, None, NOW, False),
        (0, NOW, NOW, False),
        (0, None, NOW + timedelta(minutes=10) - timedelta(microseconds=1), True),
        (0, None, NOW + timedelta(minutes=10), False),
    ],
)
def test_code_refusal(attempts: int, used_at: datetime | None, at: datetime, usable: bool) -> None:
    code = SignInCode(
        phone_index=UUID(int=1),
        id=UUID(int=2),
        code_digest=b"",
        attempts=attempts,
        created_at=NOW,
        expires_at=NOW + rules.CODE_PERIOD,
        used_at=used_at,
    )
    refusal = rules.code_refusal(code, at)
    assert isinstance(refusal, SignInCodeExpiredError) is not usable


@pytest.mark.parametrize(
    ("target", "platform", "field"),
    [
        ("", "ios", "target"),
        ("a" * 1025, "ios", "target"),
        ("a\n", "ios", "target"),
        ("ключ", "ios", "target"),
        ("abc", "windows", "platform"),
    ],
)
def test_a_target_that_no_platform_gives(target: str, platform: str, field: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        rules.check_target(target, platform)
    assert refused.value.field == field

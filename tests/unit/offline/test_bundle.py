"""A policy is believed only as it was signed, for its lane, and within bounds."""

from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from parking.kit.errors import InvalidInputError
from parking.kit.ids import new_id
from parking.offline.bundle import (
    BUNDLE_BYTES_MAX,
    ENTRIES_MAX,
    SIGNED_AS,
    PolicyRefusedError,
    Right,
    encode,
    hash_plate,
    open_bundle,
)
from tests.factories.policies import HASH_KEY, ISSUED, KEY, LANE, listed, policy, signed

PUBLIC = KEY.public_key()


def test_a_policy_is_read_as_it_was_written() -> None:
    bundle = policy(
        {
            "京A88731": listed(Right.CREDIT, risk_minor=1500, limit_minor=2000),
            "沪A12345": listed(Right.PASS, until=ISSUED + timedelta(hours=3)),
        }
    )
    raw, signature, _ = signed(bundle)
    assert open_bundle(raw, signature, PUBLIC, lane_id=LANE) == bundle
    assert encode(bundle) == raw
    known = bundle.find("京A88731")
    assert known is not None
    assert (known.right, known.risk_minor, known.limit_minor) == (Right.CREDIT, 1500, 2000)
    assert bundle.find("京A88732") is None


def test_it_holds_no_plate_in_clear() -> None:
    raw, _, _ = signed(policy({"京A88731": listed(Right.PASS)}))
    for piece in ("京A88731".encode(), b"A88731", b"88731"):
        assert piece not in raw


def test_every_changed_byte_is_noticed() -> None:
    raw, signature, _ = signed(policy({"京A88731": listed(Right.UNPAID)}))
    for at in range(0, len(raw), 7):
        altered = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
        with pytest.raises(PolicyRefusedError, match="signature"):
            open_bundle(altered, signature, PUBLIC, lane_id=LANE)


def test_another_key_and_another_lane_are_refused() -> None:
    raw, signature, _ = signed(policy())
    other = Ed25519PrivateKey.generate()
    with pytest.raises(PolicyRefusedError, match="signature"):
        open_bundle(raw, signature, other.public_key(), lane_id=LANE)
    with pytest.raises(PolicyRefusedError, match="lane_id"):
        open_bundle(raw, signature, PUBLIC, lane_id=new_id(ISSUED))


def test_a_signature_of_something_else_by_the_same_key_is_none_of_a_policy() -> None:
    raw, _, _ = signed(policy())
    with pytest.raises(PolicyRefusedError, match="signature"):
        open_bundle(raw, KEY.sign(raw), PUBLIC, lane_id=LANE)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b"[]",
        b"nonsense",
        b'{"format": 2}',
        b'{"format": 1, "format": 1}',
    ],
)
def test_what_is_signed_and_no_policy_is_refused(text: bytes) -> None:
    with pytest.raises(PolicyRefusedError, match="field"):
        open_bundle(text, KEY.sign(SIGNED_AS + text), PUBLIC, lane_id=LANE)


@pytest.mark.parametrize("hours", [0, 73])
def test_a_policy_is_valid_for_no_longer_than_three_days(hours: int) -> None:
    raw, signature, _ = signed(policy(hours=hours))
    with pytest.raises(PolicyRefusedError, match="valid_until"):
        open_bundle(raw, signature, PUBLIC, lane_id=LANE)


@pytest.mark.parametrize("lines", [["line"] * 5, ["x" * 41]])
def test_a_display_s_text_has_four_short_lines_at_the_most(lines: list[str]) -> None:
    raw, signature, _ = signed(replace(policy(), texts={"open": lines}))
    with pytest.raises(PolicyRefusedError, match="field"):
        open_bundle(raw, signature, PUBLIC, lane_id=LANE)


def test_ten_thousand_plates_fit_and_one_more_does_not() -> None:
    plates = {f"京A{number:05d}": listed(Right.PASS) for number in range(ENTRIES_MAX)}
    raw, signature, _ = signed(policy(plates))
    opened = open_bundle(raw, signature, PUBLIC, lane_id=LANE)
    assert len(raw) < BUNDLE_BYTES_MAX
    assert len(opened.plates) == ENTRIES_MAX
    assert opened.find("京A04711") is not None
    with pytest.raises(InvalidInputError, match="plates"):
        encode(policy({**plates, "京B00000": listed(Right.PASS)}))


def test_the_same_plate_has_another_hash_under_another_key() -> None:
    assert hash_plate(HASH_KEY, "京A88731") != hash_plate(b"i" * 32, "京A88731")
    assert len(hash_plate(HASH_KEY, "京A88731")) == 16

"""Small rules: pictures, options, rates, pauses, control lines, registry."""

from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate_bridge.agent.backoff import full_jitter_s
from gate_bridge.agent.control import read_line
from gate_bridge.agent.options import AgentOptions
from gate_bridge.lane_budgets import LaneBudgets
from gate_bridge.options import BridgeOptions, PlainListenerError, is_loopback
from gate_bridge.pictures import check_picture
from gate_bridge.registry import LaneRegistry
from gate_bridge.wire.errors import PayloadInvalidError, TooLargeError
from gate_bridge.wire.rate import TokenBucket
from parking.flows.lane_types import Direction, Lane
from parking.kit.errors import InvalidInputError

JPEG = b"\xff\xd8\xff\xe0" + bytes(40) + b"\xff\xd9"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(40) + b"IEND\xaeB`\x82"
WEBP = b"RIFF" + (44).to_bytes(4, "little") + b"WEBP" + bytes(40)


@pytest.mark.parametrize(
    ("image", "content_type"),
    [
        (JPEG, "image/jpeg"),
        (JPEG + b"camera data", "image/jpeg"),
        (PNG, "image/png"),
        (WEBP, "image/webp"),
    ],
)
def test_whole_pictures_pass(image: bytes, content_type: str) -> None:
    check_picture(image, content_type, 100)


@pytest.mark.parametrize(
    ("image", "content_type"),
    [
        (b"", "image/jpeg"),
        (JPEG, "image/png"),
        (PNG, "image/jpeg"),
        (JPEG[:-1], "image/jpeg"),
        (PNG[:-1], "image/png"),
        (WEBP[:-1], "image/webp"),
    ],
)
def test_other_bytes_do_not(image: bytes, content_type: str) -> None:
    with pytest.raises(PayloadInvalidError) as caught:
        check_picture(image, content_type, 100)
    assert caught.value.details["field"] == "image"


def test_a_large_picture_is_named_with_its_limit() -> None:
    with pytest.raises(TooLargeError) as caught:
        check_picture(JPEG, "image/jpeg", 10)
    assert caught.value.details == {"field": "image", "bytes_max": 10}


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),  # noqa: S104 - the address that must not be plain
        ("10.0.0.1", False),
        ("gate.example", False),
    ],
)
def test_plain_stays_on_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
    options = BridgeOptions(host=host)
    if expected:
        options.check()
    else:
        with pytest.raises(PlainListenerError):
            options.check()
    BridgeOptions(host=host, plain_allowed=True).check()
    BridgeOptions(host=host, tls_cert=Path("c.pem"), tls_key=Path("k.pem")).check()


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("ws://127.0.0.1:8081", f"ws://127.0.0.1:8081/gates/{UUID(int=1)}"),
        ("wss://gates.example/", f"wss://gates.example/gates/{UUID(int=1)}"),
        (f"ws://localhost/gates/{UUID(int=1)}", f"ws://localhost/gates/{UUID(int=1)}"),
    ],
)
def test_the_address_of_a_lane(url: str, address: str) -> None:
    options = AgentOptions(url=url, lane_id=UUID(int=1), token="t")
    options.check()
    assert options.address == address
    assert "token" not in repr(options)


@pytest.mark.parametrize("url", ["http://127.0.0.1", "ws://gates.example", "ws://", "nonsense"])
def test_a_token_is_not_shown_to_the_network(url: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        AgentOptions(url=url, lane_id=UUID(int=1), token="t").check()
    assert caught.value.field == "url"


def test_a_bucket_lets_a_burst_through_and_then_the_rate() -> None:
    now_s = [0.0]
    bucket = TokenBucket(2.0, 3, lambda: now_s[0])
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]
    now_s[0] = 0.5
    assert [bucket.take() for _ in range(2)] == [True, False]
    now_s[0] = 100.0
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]


def test_a_bucket_gives_all_or_nothing() -> None:
    now_s = [0.0]
    bucket = TokenBucket(2.0, 10, lambda: now_s[0])
    assert (bucket.full, bucket.take(8), bucket.full) == (True, True, False)
    assert [bucket.take(3), bucket.take(2), bucket.take(1)] == [False, True, False]
    now_s[0] = 5.0
    assert (bucket.full, bucket.take(11), bucket.take(10)) == (True, False, True)


def test_a_lane_keeps_its_budget_while_it_is_spent_and_no_other_lane_feels_it() -> None:
    budgets = LaneBudgets(0.001, 10)
    assert budgets.of(UUID(int=1)).take(10)
    assert not budgets.of(UUID(int=1)).take(1)
    assert budgets.of(UUID(int=2)).take(10)


@given(st.integers(0, 200))
def test_pauses_have_a_bound(tries: int) -> None:
    assert 0 <= full_jitter_s(tries) <= min(30.0, 0.25 * 2 ** min(tries, 16))


@pytest.mark.parametrize(
    ("line", "field"),
    [
        (b"nonsense", "line"),
        (b'{"fly": true}', "fly"),
        (b'{"car": "x"}', "car"),
        (b'{"open_by_hand": {"operator": "Lee"}}', "open_by_hand.reason"),
        (b'{"open_by_hand": {"operator": "Lee", "reason": "a\\u0000"}}', "open_by_hand.reason"),
        (b'{"plate": "B\\u0000"}', "plate"),
    ],
)
def test_a_control_line_that_is_wrong_names_the_field(line: bytes, field: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        read_line(line)
    assert caught.value.field == field


@dataclass
class Registered:
    session_epoch: int
    superseded: bool = False

    @property
    def lane_id(self) -> UUID:
        return UUID(int=1)

    @property
    def lane(self) -> Lane:
        return Lane(UUID(int=1), UUID(int=1), self.lane_id, UUID(int=1), Direction.ENTRY, "1")

    def supersede(self) -> None:
        self.superseded = True

    async def show_sign(self, *, is_full: bool) -> None:
        raise AssertionError(f"nobody asked for a sign: {is_full}")


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_the_newest_epoch_keeps_the_lane_whatever_comes_first(order: tuple[int, int]) -> None:
    registry = LaneRegistry()
    connections = [Registered(epoch) for epoch in order]
    for connection in connections:
        registry.add(connection)
    assert {item.session_epoch: item.superseded for item in connections} == {1: True, 2: False}
    for connection in connections:
        if connection.superseded:
            registry.remove(connection)
    assert len(registry) == 1

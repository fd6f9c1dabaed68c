import pytest

from gate_bridge.agent.site.lane_desk import wire_car_id


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (None, None),
        ("", None),
        ("\x00\r\n", None),
        ("41\n", "41"),
        ("a\u2028b", "ab"),
        ("x" * 65, "x" * 64),
        ("agent-1:77", "agent-1:77"),
    ],
)
def test_what_a_camera_calls_a_car_as_the_wire_takes_it(
    written: str | None, expected: str | None
) -> None:
    assert wire_car_id(written) == expected

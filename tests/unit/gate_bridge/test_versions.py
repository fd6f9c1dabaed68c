"""Which version of the wire two ends speak."""

import pytest

from gate_bridge.admission import newest_common
from gate_bridge.wire.limits import SUBPROTOCOL, SUBPROTOCOLS

SPOKEN = ("sesame.gate.v3", "sesame.gate.v2", "sesame.gate.v1")


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (["sesame.gate.v1"], "sesame.gate.v1"),
        (["sesame.gate.v1", "sesame.gate.v3"], "sesame.gate.v3"),
        (["sesame.gate.v9", "sesame.gate.v2", "sesame.gate.v1"], "sesame.gate.v2"),
        (["sesame.gate.v9"], None),
        (["SESAME.GATE.V1", "sesame.gate.v1 "], None),
        ([""], None),
        ([], None),
    ],
)
def test_the_newest_that_both_speak(offered: list[str], chosen: str | None) -> None:
    assert newest_common(offered, SPOKEN) == chosen


def test_the_newest_is_the_first() -> None:
    assert SUBPROTOCOLS[0] == SUBPROTOCOL
    assert list(SUBPROTOCOLS) == sorted(SUBPROTOCOLS, reverse=True)

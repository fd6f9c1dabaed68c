"""Every guard of the edge, exactly at its edge."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from gate_bridge.agent.guards import Refusal, Situation, refusal
from gate_bridge.wire.actions import OpenBarrier
from parking.kit.ids import new_id

ISSUED = datetime(2026, 3, 1, 8, tzinfo=UTC)
CAR = new_id(ISSUED)
OTHER_CAR = new_id(ISSUED)
ORDER = OpenBarrier(
    command_id=UUID(int=1), presentation_id=CAR, session_epoch=7, issued_at=ISSUED, ttl_ms=5000
)
NOW = Situation(7, CAR, ISSUED + timedelta(seconds=1), ISSUED + timedelta(seconds=1))
TICK = timedelta(microseconds=1)
TTL = timedelta(seconds=5)


@pytest.mark.parametrize(
    ("situation", "expected"),
    [
        (NOW, None),
        (replace(NOW, session_epoch=None), Refusal.STALE_EPOCH),
        (replace(NOW, session_epoch=6), Refusal.STALE_EPOCH),
        (replace(NOW, session_epoch=8), Refusal.STALE_EPOCH),
        (replace(NOW, presentation_id=None), Refusal.NO_PRESENTATION),
        (replace(NOW, presentation_id=OTHER_CAR), Refusal.OTHER_PRESENTATION),
        (replace(NOW, server_latest=None, server_earliest=None), Refusal.CLOCK_UNKNOWN),
        (replace(NOW, server_latest=ISSUED + TTL), None),
        (replace(NOW, server_latest=ISSUED + TTL + TICK), Refusal.EXPIRED),
        (replace(NOW, server_earliest=ISSUED - TTL), None),
        (replace(NOW, server_earliest=ISSUED - TTL - TICK), Refusal.ISSUED_IN_FUTURE),
    ],
)
def test_guards(situation: Situation, expected: Refusal | None) -> None:
    assert refusal(ORDER, situation) == expected


def test_a_wrong_epoch_outweighs_everything_else() -> None:
    assert refusal(ORDER, Situation(None, None, None, None)) == Refusal.STALE_EPOCH

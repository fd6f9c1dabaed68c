"""Which lanes are told whether there is room: those where it is full, or was."""

from uuid import UUID

from gate_bridge.fake_lane_service import FakeLaneService
from gate_bridge.signs import Signs
from parking.flows.lane_types import Direction, Lane
from parking.kit.clock import SystemClock

OPERATOR = UUID(int=1)


class Bearer:
    """A lane that remembers what it was told."""

    def __init__(self, area: int, direction: Direction = Direction.ENTRY) -> None:
        self.lane = Lane(OPERATOR, OPERATOR, UUID(int=9), UUID(int=area), direction, "lane")
        self.told: list[bool] = []

    async def show_sign(self, *, is_full: bool) -> None:
        self.told.append(is_full)


async def test_only_lanes_where_it_is_full_or_was_are_told() -> None:
    areas = FakeLaneService(SystemClock())
    bearers = [Bearer(1), Bearer(2), Bearer(2, Direction.EXIT)]
    signs = Signs(areas, lambda: bearers, 20.0)
    await signs.look_once()
    areas.full = {(OPERATOR, UUID(int=2))}
    # Again and again: the text is shown for a minute only.
    for _ in range(2):
        await signs.look_once()
    areas.full = set()
    for _ in range(2):
        await signs.look_once()
    assert [bearer.told for bearer in bearers] == [[], [True, True, False], []]

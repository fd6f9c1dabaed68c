"""What waits of one device takes no other device's room in the site's file."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from gate_bridge.agent.errors import JournalFullError
from gate_bridge.agent.site import waiting_shares
from gate_bridge.agent.site.message_store import MessageStore
from gate_bridge.drivers.port import DeviceMessage

NOW = datetime(2026, 3, 2, 7, tzinfo=UTC)


def message(number: int) -> DeviceMessage:
    return DeviceMessage(target="/", headers={}, body=b"%09d\n" % number, received_at=NOW)


@pytest.mark.parametrize(("limit", "most"), [("MESSAGES_OF_ONE_MAX", 2), ("BYTES_OF_ONE_MAX", 25)])
async def test_a_device_whose_lane_is_down_leaves_room_for_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, most: int
) -> None:
    monkeypatch.setattr(waiting_shares, limit, most)
    store = await MessageStore.open(tmp_path / "site.sqlite")
    first = await store.keep("broken", message(1))
    await store.keep("broken", message(2))
    with pytest.raises(JournalFullError):
        await store.keep("broken", message(3))
    await store.keep("fine", message(4))
    await store.done(first.stored_id)
    await store.done(first.stored_id)
    await store.keep("broken", message(5))
    with pytest.raises(JournalFullError):
        await store.keep("broken", message(6))
    await store.close()

    again = await MessageStore.open(tmp_path / "site.sqlite")
    with pytest.raises(JournalFullError):
        await again.keep("broken", message(7))
    await again.keep("fine", message(8))
    waiting = [(one.device, await again.load(one)) for one in await again.waiting()]
    await again.close()
    assert [(device, kept and kept.message.body) for device, kept in waiting] == [
        ("broken", message(2).body),
        ("fine", message(4).body),
        ("broken", message(5).body),
        ("fine", message(8).body),
    ]

"""The edge's journal on a real file."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from gate_bridge.agent import journal as journal_module
from gate_bridge.agent.errors import JournalBusyError, JournalFullError
from gate_bridge.agent.journal import CurrentCar, Journal, StoredCommand, StoredEvent
from gate_bridge.wire.actions import CommandStatus

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncGenerator[Journal]:
    opened = await Journal.open(tmp_path / "j.sqlite")
    yield opened
    await opened.close()


async def fill(journal: Journal, count: int) -> None:
    for number in range(count):
        await journal.append(UUID(int=number), "BarrierEvent", f"{number}")


async def queue(journal: Journal) -> list[tuple[int, str]]:
    return [(event.seq, event.body) for event in await journal.queued(100)]


async def test_events_keep_their_numbers_over_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    car = CurrentCar(UUID(int=5), NOON, UUID(int=6))
    first = await Journal.open(path)
    await first.begin_presentation(car, "came")
    await first.append(UUID(int=7), "BarrierEvent", "opened")
    with pytest.raises(JournalBusyError):
        await Journal.open(path)
    await first.close()

    second = await Journal.open(path)
    assert await second.standing() == (car, 3)
    assert await second.queued(10) == [
        StoredEvent(1, "Presentation", "came"),
        StoredEvent(2, "BarrierEvent", "opened"),
    ]
    await second.end_presentation(UUID(int=8), "left")
    assert await second.standing() == (None, 4)
    await second.close()


async def test_acknowledged_events_go_and_their_numbers_are_not_used_again(
    journal: Journal,
) -> None:
    await fill(journal, 3)
    assert await journal.is_queued(UUID(int=1))
    await journal.acknowledge(2)
    assert not await journal.is_queued(UUID(int=1))
    assert await queue(journal) == [(3, "2")]
    await journal.acknowledge(3)
    await journal.append(UUID(int=9), "BarrierEvent", "next")
    assert await queue(journal) == [(4, "next")]


@pytest.mark.parametrize(
    ("last_seq", "expected", "next_seq"),
    [
        (0, [(1, "0"), (2, "1"), (3, "2")], 4),
        (2, [(3, "2")], 4),
        (3, [], 4),
        (50, [(51, "0"), (52, "1"), (53, "2")], 54),
    ],
)
async def test_both_ends_agree_on_numbers_after_hello(
    journal: Journal, last_seq: int, expected: list[tuple[int, str]], next_seq: int
) -> None:
    await fill(journal, 3)
    await journal.align(last_seq)
    assert await queue(journal) == expected
    assert (await journal.standing())[1] == next_seq


async def test_a_bridge_from_a_backup_gets_the_waiting_events_without_a_gap(
    journal: Journal,
) -> None:
    await fill(journal, 3)
    await journal.acknowledge(2)
    await journal.align(0)
    assert await queue(journal) == [(1, "2")]
    assert (await journal.standing())[1] == 2


async def test_an_event_that_is_never_accepted_does_not_hold_up_the_others(
    journal: Journal,
) -> None:
    await fill(journal, 3)
    await journal.set_aside(2, "PayloadInvalid")
    assert await queue(journal) == [(1, "0"), (2, "2")]
    assert (await journal.standing())[1] == 3


async def test_orders_are_remembered_and_the_oldest_forgotten(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "COMMANDS_MAX", 2)
    car = UUID(int=1)
    await journal.begin_command(UUID(int=10), car)
    assert await journal.command(UUID(int=10)) == StoredCommand(UUID(int=10), car, None, None)
    await journal.finish_command(UUID(int=10), car, CommandStatus.ACCEPTED, None)
    await journal.finish_command(UUID(int=11), car, CommandStatus.REJECTED, "expired")
    assert await journal.command(UUID(int=11)) == StoredCommand(
        UUID(int=11), car, CommandStatus.REJECTED, "expired"
    )
    assert await journal.last_command() == StoredCommand(
        UUID(int=10), car, CommandStatus.ACCEPTED, None
    )
    await journal.append_passed(UUID(int=10), UUID(int=5), "BarrierEvent", "{}")
    assert await journal.last_command() == StoredCommand(
        UUID(int=10), car, CommandStatus.ACCEPTED, None, has_passed=True
    )
    await journal.begin_command(UUID(int=12), car)
    assert await journal.command(UUID(int=10)) is None
    stored = await journal.last_command()
    assert stored is not None
    assert not stored.has_passed


async def test_a_full_journal_says_so_and_keeps_what_it_has(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "EVENTS_MAX", 2)
    await fill(journal, 2)
    with pytest.raises(JournalFullError):
        await journal.append(UUID(int=9), "BarrierEvent", "third")
    assert await queue(journal) == [(1, "0"), (2, "1")]
    assert (await journal.standing())[1] == 3

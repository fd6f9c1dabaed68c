"""What a device's contacts said last, whenever the lane comes to hear of it.

A contact tells of its changes only. So a word that had to wait here still counts, unless a newer
one about the same contact was told before it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from gate_bridge.agent.machines.contacts import ContactUse
from gate_bridge.agent.site.lane_desk import Machine
from gate_bridge.agent.site.message_store import KeptInput, KeptMessage, MessageStore
from gate_bridge.drivers.port import ArmSignal, InputSignal
from parking.kit.clock import Clock

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

# What a contact said longer ago than this is not taken for what it says now.
INPUT_AGE_MAX: Final = timedelta(minutes=10)
# A person who opened longer ago has not opened for the car that stands there now.
HAND_AGE_MAX: Final = timedelta(seconds=10)
_NEVER: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class InputMeaning:
    """What a device's input means for its lane."""

    use: ContactUse
    is_inverted: bool


@dataclass(frozen=True, slots=True)
class Word:
    """A contact or an arm, as a device told of it.

    Attributes:
        is_of_before: It waited since before this process began.
    """

    device: str
    signal: InputSignal | ArmSignal
    at: datetime
    is_replay: bool = False
    is_of_before: bool = False


class ContactWords:
    """Remembers the newest word about every contact, over restarts of a lane and of the site."""

    def __init__(self, store: MessageStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._began_at = clock.now()
        self._newest_at: dict[tuple[str, int | None], datetime] = {}

    async def restore(
        self, device: str, machine: Machine, inputs: Mapping[int, InputMeaning]
    ) -> None:
        """Tell a lane that begins what a device's contacts said last."""
        oldest = self._clock.now() - INPUT_AGE_MAX
        for kept in await self._store.inputs():
            if kept.device != device:
                continue
            self._newest_at.setdefault((device, kept.number), kept.at)
            meaning = inputs.get(kept.number)
            if meaning is not None and kept.at >= oldest:
                machine.contact(meaning.use, is_on=kept.is_on != meaning.is_inverted)

    def word(
        self, kept: KeptMessage, signal: InputSignal | ArmSignal, *, is_replay: bool
    ) -> Word | None:
        """Return what a message says, unless a newer one said it before."""
        at = kept.message.received_at
        number = signal.number if isinstance(signal, InputSignal) else None
        if is_replay and at < self._heard_at((kept.device, number)):
            return None
        self._newest_at[kept.device, number] = at
        return Word(kept.device, signal, at, is_replay, is_replay and at < self._began_at)

    async def tell(self, word: Word, machine: Machine, inputs: Mapping[int, InputMeaning]) -> None:
        """Tell the lane, and remember it for the next start.

        Raises:
            JournalFullError: it could not be remembered.
        """
        signal = word.signal
        age = self._clock.now() - word.at
        if isinstance(signal, ArmSignal):
            if age <= INPUT_AGE_MAX and not word.is_of_before:
                machine.arm_moved(signal.arm)
            return
        meaning = inputs.get(signal.number)
        if meaning is None:
            return
        is_on = signal.is_on != meaning.is_inverted
        if word.is_replay and not _still_counts(word, meaning.use, age, is_on=is_on):
            if meaning.use is ContactUse.OPENED_BY_HAND and is_on:
                _log.warning("hand_opening_heard_late", device=word.device, at=word.at.isoformat())
            return
        machine.contact(meaning.use, is_on=is_on)
        kept = KeptInput(word.device, signal.number, signal.is_on, word.at)
        await self._store.remember_input(kept)

    def _heard_at(self, contact: tuple[str, int | None]) -> datetime:
        newest_at = self._newest_at.get(contact, _NEVER)
        # After this machine's clock was set back, nobody can say which was first.
        return newest_at if newest_at <= self._clock.now() else _NEVER


def _still_counts(word: Word, use: ContactUse, age: timedelta, *, is_on: bool) -> bool:
    if use is ContactUse.OPENED_BY_HAND:
        return age <= HAND_AGE_MAX
    if use is ContactUse.LOOP:
        # That a car has left is true until one comes. One that nobody looked after since before
        # this process began may be any car by now.
        return not is_on or (age <= INPUT_AGE_MAX and not word.is_of_before)
    return age <= INPUT_AGE_MAX

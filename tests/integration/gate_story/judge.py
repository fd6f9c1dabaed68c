"""What must hold at every pulse and at every answer to an order, whatever happens."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

from gate_bridge.agent.machines.contacts import ContactUse
from tests.integration.gate_story.bridge import StoryBridge, StorySocket, Taken
from tests.integration.gate_story.street import Street, Visit
from tests.integration.gate_story.virtual_time import StoryDisk

ARM_USES = frozenset({ContactUse.ARM_UP, ContactUse.ARM_DOWN})
# What an order may be refused as that had run out when it came.
LATE = frozenset(
    {"expired", "stale_epoch", "no_presentation", "other_presentation", "clock_unknown"}
)


class Judge:
    """Looks at the lane from outside, and notes what must not be.

    An exception would go to whoever pulses or answers, who would take it for a fault of its own.

    Args:
        listed: Plates that may come in without a bridge.
        tell: Is told what is wrong, for the story's log.
    """

    def __init__(
        self,
        bridge: Callable[[], StoryBridge],
        street: Street,
        disk: StoryDisk,
        listed: frozenset[str],
        tell: Callable[[str], None],
    ) -> None:
        self._bridge = bridge
        self._street = street
        self._disk = disk
        self._listed = listed
        self._tell = tell
        self._taken: list[Taken] = []
        self._answers: dict[str, tuple[str, str | None]] = {}
        self._pulses: list[UUID] = []
        self._harmed: set[UUID] = set()
        self._silent: set[UUID] = set()
        self._in_doubt: set[UUID] = set()
        self.wrong: list[str] = []

    @property
    def taken_count(self) -> int:
        """How many orders the agent took from its connections."""
        return len(self._taken)

    def took(self, socket: StorySocket, message: str) -> None:
        """Note an order that the agent takes from its connection."""
        match orjson.loads(message):
            case [2, call_id, "OpenBarrier", payload]:
                issued_at = datetime.fromisoformat(payload["issued_at"])
                ends_at = issued_at + timedelta(milliseconds=payload["ttl_ms"])
                taken = Taken(
                    socket,
                    UUID(payload["command_id"]),
                    payload["session_epoch"],
                    ends_at,
                    self._bridge().now() > ends_at,
                )
                socket.taken.setdefault(call_id, []).append(taken)
                self._taken.append(taken)
                self._in_doubt.discard(taken.command_id)
            case _:
                pass

    def answered(self, socket: StorySocket, call_id: str, answer: dict[str, Any] | None) -> None:
        """Look at an answer: the first one counts, and says what was done."""
        taken = socket.taken[call_id].pop(0)
        if answer is None:
            return
        said = (str(answer["status"]), answer["reason"])
        known = self._answers.setdefault(str(taken.command_id), said)
        if known != said:
            self._note(f"an order is answered {said} after {known}")
        if answer["repeated"]:
            return
        if taken.epoch != taken.socket.epoch and said[1] != "stale_epoch":
            self._note(f"an order of another connection is answered {said}")
        elif taken.is_late and said[1] not in LATE:
            self._note(f"an order that came late is answered {said}")
        if said == ("accepted", None) and taken.command_id not in self._pulses:
            self._note("an order is said to be carried out, and was not")
        is_pulsed = taken.command_id in self._pulses and taken.command_id not in self._silent
        if said[0] == "rejected" and is_pulsed:
            self._note("an order is said to be refused, and was carried out")
        if said[0] == "rejected" and taken.command_id in self._in_doubt:
            self._note("an order is said to be refused, and nobody knows")

    def pulsed(self, command_id: UUID) -> None:
        """Look at a pulse at the moment when the contact closes."""
        car, order = self._street.car, self._bridge().order(command_id)
        if car is None:
            self._note("the arm rises for nobody")
            return
        plate = self._plate_decided_on(command_id) if order is None else order.plate
        if plate != car.plate or (order is None and plate not in self._listed):
            self._note(f"the arm rises for {car.plate}, and not for {plate}")
        if order is not None and not self._is_ordered_now(command_id):
            self._note("the arm rises by an order that has run out, or of another connection")
        self._look_at_cars(car, command_id)
        self._pulses.append(command_id)

    def harmed(self, command_id: UUID, is_silent: bool) -> None:
        """Note a pulse that nobody can know of, because the relay is silent or the process dead."""
        self._harmed.add(command_id)
        if is_silent:
            self._silent.add(command_id)
            self._in_doubt.add(command_id)

    def _look_at_cars(self, car: Visit, command_id: UUID) -> None:
        street = self._street
        is_seen = bool(ARM_USES & street.uses)
        if command_id in self._pulses and command_id not in self._harmed:
            self._note("one order raises the arm twice")
        # Whoever stands there after nobody watched may be another car, and is decided on anew.
        is_watched = car.life == street.lives
        if len(car.pulses) > car.harmed and is_watched and not street.faults.jammed:
            self._note("the arm rises again for one car")
        if car.pulses and street.is_up and is_seen:
            self._note("the arm rises for a car that it is up for")
        if street.is_way_seen_taken:
            self._note("the arm rises while the car before is under it")

    def _is_ordered_now(self, command_id: UUID) -> bool:
        # A pulse that has begun ends, also where its connection does not last for so long.
        now = self._bridge().now()
        return any(
            taken.command_id == command_id
            and taken.epoch == taken.socket.epoch
            and now <= taken.ends_at
            for taken in self._taken
        )

    def _plate_decided_on(self, command_id: UUID) -> str:
        rows = self._disk.execute("SELECT body FROM events").fetchall()
        events = [orjson.loads(body) for [body] in rows] + self._bridge().committed
        ids = [
            event["observation_id"]
            for event in events
            if event.get("command_id") == str(command_id) and "observation_id" in event
        ]
        plates = [str(event["plate"]) for event in events if event["event_id"] in ids[:1]]
        return plates[0] if plates else "nobody"

    def _note(self, what: str) -> None:
        self._tell(f"WRONG: {what}")
        self.wrong.append(what)

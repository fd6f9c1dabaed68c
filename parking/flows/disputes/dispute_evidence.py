"""What is stored of the reads of a stay, put together as evidence."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from parking.disputes import rules
from parking.disputes.rules import DECIDING_THRESHOLD, Evidence, ReadEvidence, ReadFacts
from parking.kit.database import UnitOfWork
from parking.lanes import repository as lanes
from parking.lanes.models import Observation, Presentation
from parking.lanes.repository import FrameFacts
from parking.lanes.service import ALTERNATIVES_CONTEXT, PLATE_CONTEXT
from parking.sessions import service as sessions
from parking.sessions.models import Session
from parking.sessions.rules import ReadText, distance

PICTURES_PER_READ_MAX: Final = 4


@dataclass(frozen=True, slots=True)
class ReadView:
    """One car on one loop: what was read of it, what that proves, and its pictures.

    Attributes:
        facts: None where no read is kept, such as of a car that staff let in by hand.
        evidence: None without `facts`.
        method: `anpr` or `camera`; None without `facts`.
        frames_read: How many pictures the read rests on.
        pictures: The one that settled the read first.
    """

    presentation_id: UUID
    lane_id: UUID
    occurred_at: datetime
    facts: ReadFacts | None
    evidence: ReadEvidence | None
    method: str | None
    region: str | None
    frames_read: int
    pictures: Sequence[FrameFacts]


@dataclass(frozen=True, slots=True)
class StayEvidence:
    """The reads of a stay; `verdict` is what they prove together."""

    plate: str
    entry: ReadView | None
    exit: ReadView | None

    @property
    def verdict(self) -> Evidence:
        """What the reads prove together."""
        return Evidence(
            None if self.entry is None else self.entry.evidence,
            None if self.exit is None else self.exit.evidence,
        )


async def gather(
    unit: UnitOfWork, session: Session, thresholds: Mapping[str, float]
) -> StayEvidence:
    """Return what the reads of a stay prove about its plate.

    Args:
        unit: The transaction.
        session: The stay.
        thresholds: What a read must be worth, by its source; DECIDING_THRESHOLD for others.
    """
    plate = sessions.plate_of(unit, session)
    entry = await look_at(
        unit, session.operator_id, session.entry_presentation_id, plate, thresholds
    )
    exit_id = session.exit_presentation_id
    leaving = (
        None
        if exit_id is None
        else await look_at(unit, session.operator_id, exit_id, plate, thresholds)
    )
    return StayEvidence(plate, entry, leaving)


async def look_at(
    unit: UnitOfWork,
    operator_id: UUID,
    presentation_id: UUID,
    plate: str,
    thresholds: Mapping[str, float],
) -> ReadView | None:
    """Return what one car's read proves about `plate`; None for a car that is not kept."""
    presentation = await lanes.find_presentation(unit, operator_id, presentation_id)
    if presentation is None:
        return None
    observation = await lanes.find_observation(unit, operator_id, presentation)
    pictures = await _pictures(unit, presentation)
    facts = None if observation is None else _facts(unit, observation, plate)
    evidence = None
    if facts is not None:
        threshold = thresholds.get(facts.source, DECIDING_THRESHOLD)
        evidence = rules.read_evidence(facts, plate, threshold)
    return ReadView(
        presentation_id=presentation.id,
        lane_id=presentation.lane_id,
        occurred_at=presentation.occupied_at,
        facts=facts,
        evidence=evidence,
        method=None if observation is None else str(observation.method),
        region=None if observation is None else observation.region,
        frames_read=0 if observation is None else observation.frames,
        pictures=pictures,
    )


def in_numbers(evidence: Evidence) -> dict[str, Any]:
    """Return the evidence as a dispute keeps it; it says no plate."""
    return {
        name: None
        if read is None
        else {"kind": read.kind, "probability": read.probability, "threshold": read.threshold}
        for name, read in (("entry", evidence.entry), ("exit", evidence.exit))
    }


def _facts(unit: UnitOfWork, observation: Observation, plate: str) -> ReadFacts:
    text = unit.vault.open(observation.plate_sealed, context=PLATE_CONTEXT)
    opened = unit.vault.open(observation.alternatives_sealed, context=ALTERNATIVES_CONTEXT)
    alternatives: dict[str, float] = json.loads(opened)
    characters = tuple(observation.characters)
    read = ReadText(text, characters, tuple(alternatives.items()))
    return ReadFacts(
        text=text,
        confidence=observation.confidence,
        distance=distance(read, plate),
        alternatives=alternatives,
        characters=characters,
        source=observation.source,
    )


async def _pictures(unit: UnitOfWork, presentation: Presentation) -> Sequence[FrameFacts]:
    key = (presentation.operator_id, presentation.id)
    rows = PICTURES_PER_READ_MAX
    until = presentation.decided_at or unit.now()
    before = await lanes.find_frames(unit, *key, until=until, rows=rows)
    # A camera may read by itself and send its pictures only afterwards.
    return before or await lanes.find_frames(unit, *key, until=unit.now(), rows=rows)

"""Which version of a place's rate table is in force when: a pure decision over its versions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from parking.tariffs.models import RateTableVersion


@dataclass(frozen=True, slots=True)
class VersionInForce:
    """A version and the time in which stays that begin are charged by it.

    Attributes:
        version: The version.
        ends_at: When the next version takes over; None while none does.
        is_replaced: A higher version begins at the same instant, so that this one never applies.
    """

    version: RateTableVersion
    ends_at: datetime | None
    is_replaced: bool

    def is_in_force(self, at: datetime) -> bool:
        """Whether a stay that begins at `at` is charged by this version."""
        begun = self.version.effective_at <= at
        return begun and not self.is_replaced and (self.ends_at is None or at < self.ends_at)


def when_in_force(versions: Sequence[RateTableVersion]) -> list[VersionInForce]:
    """Return the versions in the order given, each with the time in which it applies."""
    highest: dict[datetime, int] = {}
    for version in versions:
        highest[version.effective_at] = max(
            version.version, highest.get(version.effective_at, version.version)
        )
    begins = sorted(highest)
    ends = dict(zip(begins, [*begins[1:], None], strict=True))
    return [
        VersionInForce(
            version,
            ends_at=ends[version.effective_at],
            is_replaced=version.version < highest[version.effective_at],
        )
        for version in versions
    ]

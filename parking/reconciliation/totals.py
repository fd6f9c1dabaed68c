"""What a day moved, by operator and currency, in the provider's file and in our books."""

from collections import defaultdict
from dataclasses import dataclass, field
from uuid import UUID

from parking.reconciliation.facts import BookEntry, FiledRow, Movement, Outcome


@dataclass(slots=True)
class Sums:
    """Rows and minor units of one kind of movement.

    Attributes:
        theirs: In the file.
        ours: In our books, of what ended that day.
        fee_minor: What the provider keeps of it.
    """

    theirs: int = 0
    theirs_minor: int = 0
    ours: int = 0
    ours_minor: int = 0
    fee_minor: int = 0

    def add(self, other: "Sums") -> None:
        """Count the other's rows too."""
        self.theirs += other.theirs
        self.theirs_minor += other.theirs_minor
        self.ours += other.ours
        self.ours_minor += other.ours_minor
        self.fee_minor += other.fee_minor


Key = tuple[UUID | None, str, Movement]


@dataclass(slots=True)
class Totals:
    """Sums by operator, currency and kind; operator None for money that no books know."""

    sums: dict[Key, Sums] = field(default_factory=lambda: defaultdict[Key, Sums](Sums))

    def count_row(self, owner: UUID | None, row: FiledRow) -> None:
        """Count a row of the file."""
        sums = self.sums[owner, row.amount.currency, row.movement]
        sums.theirs += 1
        sums.theirs_minor += row.amount.amount_minor
        sums.fee_minor += row.fee_minor

    def count_entry(self, entry: BookEntry) -> None:
        """Count an entry of our books, if money moved."""
        if entry.outcome is not Outcome.SUCCEEDED:
            return
        sums = self.sums[entry.operator_id, entry.amount.currency, entry.movement]
        sums.ours += 1
        sums.ours_minor += entry.amount.amount_minor

    def together(self) -> dict[tuple[str, Movement], Sums]:
        """Return the sums of all operators, by currency and kind."""
        found: dict[tuple[str, Movement], Sums] = defaultdict(Sums)
        for (_, currency, movement), sums in self.sums.items():
            found[currency, movement].add(sums)
        return dict(found)

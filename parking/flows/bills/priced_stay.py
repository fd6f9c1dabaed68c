"""What a price needs to know of a stay and of its bills, wherever it was read from."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol


class PricedStay(Protocol):
    """A stay, as its row says it."""

    @property
    def entered_at(self) -> datetime:
        """When it began."""
        ...

    @property
    def left_at(self) -> datetime | None:
        """When it ended; None while it lasts."""
        ...

    @property
    def prepaid_until(self) -> datetime | None:
        """Until when leaving is free."""
        ...

    @property
    def circumstances(self) -> Mapping[str, Any]:
        """As `Circumstances.to_json` gives them."""
        ...


class CountedBill(Protocol):
    """A bill of a stay that counts for its next one."""

    @property
    def state(self) -> str:
        """A `BillState`."""
        ...

    @property
    def total_minor(self) -> int:
        """What it asks for."""
        ...

    @property
    def currency(self) -> str:
        """ISO 4217."""
        ...

    @property
    def basis(self) -> Mapping[str, Any]:
        """What it was computed from, as stored."""
        ...

    @property
    def priced_until(self) -> datetime:
        """The instant that it was priced at."""
        ...

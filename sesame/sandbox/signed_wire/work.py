"""What both wires do for a call, with every object in the wire's own words."""

from collections.abc import Callable

from starlette.requests import Request

from sesame.sandbox.platform import (
    ORDER,
    REFUND,
    Json,
    NewAgreement,
    NewOrder,
    Platform,
    Turn,
    instant,
)
from sesame.sandbox.signed_wire.wire import number_of

Show = Callable[[Json], Json]


class SignedWork:
    """The calls about agreements, and about orders that exist.

    Args:
        platform: The books.
        show_agreement: A row of an agreement as the wire shows it.
        show_order: A row of an order or a refund.
    """

    def __init__(self, platform: Platform, show_agreement: Show, show_order: Show) -> None:
        self.platform = platform
        self._show_agreement = show_agreement
        self.show_order = show_order

    def start(self, _request: Request, asked: Json, turn: Turn) -> Json:
        """Open an agreement that waits for its payer; one with a plate says so on the page."""
        plate = asked.get("plate")
        agreement = NewAgreement(
            number=asked["number"],
            parameters=asked,
            description=asked["description"] + (f" ({plate})" if plate else ""),
            return_url=asked["return_url"],
            extra={"plate": plate} if plate else {},
        )
        row = self.platform.agreements.start(agreement, turn.manner)
        return {
            **self._show_agreement(row),
            "number": row["number"],
            "confirmation_url": f"{self.platform.public_url}/confirm/{row['token']}",
            "expires_at": instant(row["expires_ms"]),
        }

    def agreement(self, request: Request, _asked: Json, _turn: Turn) -> Json:
        """Show an agreement."""
        row = self.platform.agreements.get(request.path_params["reference"])
        return self._show_agreement(row)

    def cancel(self, request: Request, _asked: Json, _turn: Turn) -> Json:
        """End an agreement."""
        row = self.platform.agreements.cancel(request.path_params["reference"])
        return self._show_agreement(row)

    def order(self, request: Request, _asked: Json, _turn: Turn) -> Json:
        """Show an order."""
        return self.show_order(self.platform.orders.get(ORDER, number_of(request)))

    def close(self, request: Request, _asked: Json, _turn: Turn) -> Json:
        """Stop an order that has taken no money."""
        return self.show_order(self.platform.orders.close(number_of(request)))

    def refund_state(self, request: Request, _asked: Json, _turn: Turn) -> Json:
        """Show a refund."""
        return self.show_order(self.platform.orders.get(REFUND, number_of(request)))


def new_order(asked: Json, *, parent: str | None = None, extra: Json | None = None) -> NewOrder:
    """Return the order or the refund that a body asks for."""
    return NewOrder(
        number=asked["number"],
        amount_minor=asked["amount_minor"],
        currency=asked["currency"],
        parameters=asked,
        description=asked.get("description") or asked["reason"],
        parent=parent,
        return_url=asked.get("return_url"),
        extra=extra or {},
    )

"""Being told of a car while it is inside, so that charging it need not tell."""

from typing import Protocol, runtime_checkable

from parking.payments.port.orders import StayDetails


@runtime_checkable
class StayListener(Protocol):
    """What a provider with `ProviderTraits.announces_stays` is, too."""

    async def announce_stay(self, agreement_reference: str, stay: StayDetails) -> str:
        """Tell of a car that is inside, or with `left_at` of one that has left; idempotent.

        Departures only where `ProviderTraits.announces_departures`. Returns the provider's own
        reference of the stay: `StayDetails.reference`.

        Raises:
            ProviderUnavailableError: no trustworthy answer came; it may have been told.
            ProviderRefusedError: it does not take this stay, now at least.
        """
        ...
